import { chmod, readdir, readFile, readlink, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { replaceFile } from '../../src/cli/replace-file.ts'
import { StartError } from '../../src/start-error.ts'

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)

t.test('a new file has mode 0600; an existing one keeps its own', async (t) => {
  const dir = t.testdir({ existing: 'a' })
  await chmod(join(dir, 'existing'), 0o640)
  for (const name of ['existing', 'new']) await replaceFile(join(dir, name), (text) => `${text}b`)
  t.equal(await readFile(join(dir, 'existing'), 'utf8'), 'ab')
  t.equal(await readFile(join(dir, 'new'), 'utf8'), 'b')
  t.equal(await modeOf(join(dir, 'existing')), '640')
  t.equal(await modeOf(join(dir, 'new')), '600')
  t.same((await readdir(dir)).sort(), ['existing', 'new'], 'no lock and no temporary file remains')
})

t.test('a symbolic link stays, and its target changes, even one that does not exist yet', async (t) => {
  const dir = t.testdir({ data: { real: 'a' } })
  await symlink('data/real', join(dir, 'link'))
  await symlink('data/later', join(dir, 'dangling'))
  for (const name of ['link', 'dangling']) await replaceFile(join(dir, name), (text) => `${text}b`)
  t.equal(await readlink(join(dir, 'link')), 'data/real')
  t.equal(await readFile(join(dir, 'data/real'), 'utf8'), 'ab')
  t.equal(await readlink(join(dir, 'dangling')), 'data/later')
  t.equal(await readFile(join(dir, 'data/later'), 'utf8'), 'b')
})

t.test('of 20 concurrent changes of one file none is lost', async (t) => {
  const path = join(t.testdir({}), 'file')
  const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`)
  await Promise.all(lines.map((line) => replaceFile(path, (text) => `${text}${line}\n`)))
  t.same((await readFile(path, 'utf8')).trim().split('\n').sort(), lines.sort())
})

t.test('the lock of a process that was killed is removed; 10 processes that see it lose no change', async (t) => {
  const dir = t.testdir({ file: '', 'file.lock': 'of a killed process' })
  const hourAgo = new Date(Date.now() - 3_600_000)
  await utimes(join(dir, 'file.lock'), hourAgo, hourAgo)
  const changes = Array.from({ length: 10 }, () => replaceFile(join(dir, 'file'), (text) => `${text}x`))
  // One that another has robbed of its new lock says so, and changes nothing.
  const done = (await Promise.allSettled(changes)).filter(({ status }) => status === 'fulfilled')
  t.ok(done.length > 0)
  t.equal((await readFile(join(dir, 'file'), 'utf8')).length, done.length)
  t.same(await readdir(dir), ['file'])
})

t.test('a program that writes the file without the lock loses nothing: the change is refused', async (t) => {
  const dir = t.testdir({ file: 'a' })
  const path = join(dir, 'file')
  let written: Promise<void> = Promise.resolve()
  const change = replaceFile(path, (text) => {
    written = writeFile(path, 'by an editor')
    return `${text}b`
  })
  await t.rejects(change, { name: 'StartError', message: `${path} was changed by another program at the same time` })
  await written
  t.equal(await readFile(path, 'utf8'), 'by an editor')
  t.same(await readdir(dir), ['file'])
})

t.test('a failed change leaves everything as it was', async (t) => {
  const dir = t.testdir({ file: 'a' })
  const change = () => {
    throw new StartError('refused')
  }
  await t.rejects(replaceFile(join(dir, 'file'), change), new StartError('refused'))
  t.equal(await readFile(join(dir, 'file'), 'utf8'), 'a')
  t.same(await readdir(dir), ['file'])
  await t.rejects(replaceFile(join(dir, 'none', 'file'), change), {
    name: 'StartError',
    message: `${join(dir, 'none', 'file')} cannot be used (ENOENT): check its path and permissions.`,
  })
})
