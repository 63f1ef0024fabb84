import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { folderNameBytes, temporaryFolder } from '../src/temporary-folder.ts'

const module = fileURLToPath(new URL('../src/temporary-folder.ts', import.meta.url))

/** A process that has a folder with a file, and runs until it is killed. */
async function startOwner(t: Test, base: string) {
  const program = `
    const { temporaryFolder } = await import(${JSON.stringify(module)})
    const folder = await temporaryFolder('own-', ${JSON.stringify(base)})
    await (await import('node:fs/promises')).writeFile(folder + '/file', 'content')
    console.log(folder)
    setInterval(() => {}, 1_000)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const [line]: Buffer[] = await once(child.stdout, 'data')
  const kill = async () => {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  return { name: basename(String(line).trim()), pid: child.pid, kill }
}

t.test('a folder is removed by the next start after its process was killed, and not before', async (t) => {
  const base = t.testdir()
  const [killed, running] = [await startOwner(t, base), await startOwner(t, base)]
  await killed.kill()
  t.same((await readdir(base)).sort(), [killed.name, running.name].sort())
  const own = await temporaryFolder('own-', base)
  t.same((await readdir(base)).sort(), [running.name, basename(own)].sort())
  t.equal((await stat(own)).mode & 0o777, 0o700)
  t.ok(basename(own).length <= folderNameBytes('own-'))
})

t.test('only folders of this prefix, namespace and form are removed, never what a link leads to', async (t) => {
  const base = t.testdir({ elsewhere: { file: 'kept' } })
  const owner = await startOwner(t, base)
  await owner.kill()
  const [, namespace] = owner.name.split('-')
  const dead = owner.pid?.toString(36)
  const kept = [
    `own-zzzzzzz-${dead}-abcdef`,
    `own-${namespace}-${dead}-abcdefg`,
    `own-${namespace}-x_-abcdef`,
    `own-other-${namespace}-${dead}-abcdef`,
  ]
  for (const name of kept) await mkdir(join(base, name))
  await writeFile(join(base, `own-${namespace}-${dead}-isfile`), '')
  await symlink(join(base, 'elsewhere'), join(base, `own-${namespace}-${dead}-islink`))
  await temporaryFolder('own-', base)
  const left = await readdir(base)
  for (const name of [...kept, `own-${namespace}-${dead}-isfile`, `own-${namespace}-${dead}-islink`])
    t.ok(left.includes(name), name)
  t.notOk(left.includes(owner.name))
  t.same(await readdir(join(base, 'elsewhere')), ['file'])
})
