import { spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readOrCreateSecret } from '../../src/secrets/generated.ts'
import { StartError } from '../../src/start-error.ts'

async function temporaryDirectory(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'rookery-secrets-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)

t.test('a secret is created once, readable by its owner only', async (t) => {
  const dataDir = join(await temporaryDirectory(t), 'created', 'on demand')
  const secret = await readOrCreateSecret(dataDir, 'some-key')
  t.match(secret, /^[\w-]{43}$/, '256 bits')
  t.equal(await modeOf(dataDir), '700')
  t.equal(await modeOf(join(dataDir, 'some-key')), '600')
  t.same(await readdir(dataDir), ['some-key'], 'no temporary file remains')
  t.equal(await readOrCreateSecret(dataDir, 'some-key'), secret, 'the second call reads the same secret')
  t.not(await readOrCreateSecret(dataDir, 'other-key'), secret)
})

t.test('a trailing newline is not part of the secret', async (t) => {
  const dataDir = await temporaryDirectory(t)
  await writeFile(join(dataDir, 'some-key'), 'stored\n')
  t.equal(await readOrCreateSecret(dataDir, 'some-key'), 'stored')
})

t.test('5 processes that read a missing secret at once all get the same one', async (t) => {
  const dataDir = await temporaryDirectory(t)
  const script = `import { readOrCreateSecret } from ${JSON.stringify(new URL('../../src/secrets/generated.ts', import.meta.url))}
    process.stdin.once('data', async () => process.stdout.write(await readOrCreateSecret(process.argv[1], 'some-key')))
    process.stdout.write('ready ')`
  const others = Array.from({ length: 4 }, () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, dataDir], { stdio: 'pipe' })
    let output = ''
    const ready = new Promise((resolve) => child.stdout.once('data', resolve))
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
    return { ready, child, output: new Promise<string>((resolve) => child.on('close', () => resolve(output))) }
  })
  await Promise.all(others.map(({ ready }) => ready))
  for (const { child } of others) child.stdin.end('go')
  const secret = await readOrCreateSecret(dataDir, 'some-key')
  for (const { output } of others) t.equal(await output, `ready ${secret}`)
  t.same(await readdir(dataDir), ['some-key'])
})

t.test('an empty file is reported and not overwritten', async (t) => {
  const dataDir = await temporaryDirectory(t)
  for (const content of ['', '\n']) {
    const path = join(dataDir, 'some-key')
    await writeFile(path, content)
    const attempt = readOrCreateSecret(dataDir, 'some-key')
    await t.rejects(attempt, new StartError(`${path} is empty: remove it, and the next start generates a new secret.`))
    t.equal(await readFile(path, 'utf8'), content)
  }
})

t.test('an unusable directory is reported with its path', async (t) => {
  const root = await temporaryDirectory(t)
  await writeFile(join(root, 'file'), '')
  const attempt = readOrCreateSecret(join(root, 'file', 'below'), 'some-key')
  await t.rejects(attempt, StartError)
  await t.rejects(attempt, { message: `DATA_DIR ${join(root, 'file', 'below')} cannot be used` })

  const readOnly = join(root, 'read-only')
  await mkdir(readOnly)
  await chmod(readOnly, 0o500)
  const skip = process.getuid?.() === 0 && 'root can write everywhere'
  await t.test('a directory that is not writable is reported with the error code', { skip }, (t) =>
    t.rejects(readOrCreateSecret(readOnly, 'some-key'), {
      message: /^DATA_DIR .*read-only cannot be used .*\(EACCES\)/,
    }),
  )
})
