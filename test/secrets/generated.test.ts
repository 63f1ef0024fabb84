import { spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { generatedSecret } from '../../src/secrets/generated.ts'
import { StartError } from '../../src/start-error.ts'

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'rookery-secrets-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)

t.test('a secret is made once, for its owner alone', async (t) => {
  const dataDir = join(await folder(t), 'made', 'on demand')
  const secret = await generatedSecret(dataDir, 'some-key')
  t.match(secret, /^[\w-]{43}$/, '256 bits')
  t.equal(await modeOf(dataDir), '700')
  t.equal(await modeOf(join(dataDir, 'some-key')), '600')
  t.same(await readdir(dataDir), ['some-key'], 'nothing else is left behind')
  t.equal(await generatedSecret(dataDir, 'some-key'), secret, 'and kept')
  t.not(await generatedSecret(dataDir, 'other-key'), secret)
})

t.test('a newline that an editor added is not part of it', async (t) => {
  const dataDir = await folder(t)
  await writeFile(join(dataDir, 'some-key'), 'kept\n')
  t.equal(await generatedSecret(dataDir, 'some-key'), 'kept')
})

t.test('however many ask at once, in this process and in others, all get the same', async (t) => {
  const dataDir = await folder(t)
  const script = `import { generatedSecret } from ${JSON.stringify(new URL('../../src/secrets/generated.ts', import.meta.url))}
    process.stdin.once('data', async () => process.stdout.write(await generatedSecret(process.argv[1], 'some-key')))
    process.stdout.write('ready ')`
  const others = Array.from({ length: 4 }, () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, dataDir], { stdio: 'pipe' })
    let said = ''
    const ready = new Promise((resolve) => child.stdout.once('data', resolve))
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    return { ready, child, said: new Promise<string>((resolve) => child.on('close', () => resolve(said))) }
  })
  await Promise.all(others.map(({ ready }) => ready))
  for (const { child } of others) child.stdin.end('go')
  const secret = await generatedSecret(dataDir, 'some-key')
  for (const { said } of others) t.equal(await said, `ready ${secret}`)
  t.same(await readdir(dataDir), ['some-key'])
})

t.test('a file that lost its content is told, and left alone', async (t) => {
  const dataDir = await folder(t)
  for (const content of ['', '\n']) {
    const path = join(dataDir, 'some-key')
    await writeFile(path, content)
    const attempt = generatedSecret(dataDir, 'some-key')
    await t.rejects(attempt, new StartError(`${path} is empty: remove it and start again to have a new secret made`))
    t.equal(await readFile(path, 'utf8'), content)
  }
})

t.test('a folder that cannot be used is told by its name', async (t) => {
  const root = await folder(t)
  await writeFile(join(root, 'file'), '')
  const attempt = generatedSecret(join(root, 'file', 'below'), 'some-key')
  await t.rejects(attempt, StartError)
  await t.rejects(attempt, { message: `DATA_DIR ${join(root, 'file', 'below')} cannot be used` })

  const readOnly = join(root, 'read-only')
  await mkdir(readOnly)
  await chmod(readOnly, 0o500)
  const skip = process.getuid?.() === 0 && 'root may write anywhere'
  await t.test('a folder without the permission to write', { skip }, (t) =>
    t.rejects(generatedSecret(readOnly, 'some-key'), { message: /^DATA_DIR .*read-only cannot be used .*\(EACCES\)/ }),
  )
})
