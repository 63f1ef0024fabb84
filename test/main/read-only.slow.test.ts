import { execFile, spawnSync } from 'node:child_process'
import { chmod, chown, copyFile, cp, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { freshFolder, nothingRuns, root } from './server-process.ts'

const run = promisify(execFile)

/** A user that is not in passwd. */
const uid = 54_321
const asUser = ['setpriv', '--reuid', String(uid), '--regid', String(uid), '--clear-groups']
const canRead = spawnSync('/usr/bin/env', [...asUser, 'test', '-r', join(root, 'package.json')]).status === 0
const skip = process.getuid?.() !== 0 || !canRead ? 'needs root, setpriv, and a checkout that others may read' : false

/** A checkout that the user can only read, in a folder with an odd name, and one folder that it can write to. */
async function readOnlyCheckout(t: Test) {
  const folder = await freshFolder(t)
  await chmod(folder, 0o755)
  const project = join(folder, `späces, #, %41, ?, 'one' and "two" quotes`)
  // tsx takes ? for the beginning of a query.
  const projectForTsx = join(folder, `späces, #, %41, 'one' and "two" quotes`)
  for (const checkout of [project, projectForTsx]) {
    for (const part of ['src', 'bot', 'test', 'package.json', 'require-node.mjs', 'run.mjs'])
      await cp(join(root, part), join(checkout, part), { recursive: true })
    await symlink(join(root, 'node_modules'), join(checkout, 'node_modules'))
  }
  const [home, writable, mongod] = [join(folder, 'home'), join(folder, 'writable'), join(folder, 'mongod')]
  await copyFile(process.env.TEST_MONGOD_BINARY ?? '', mongod)
  await chmod(mongod, 0o755)
  await mkdir(home)
  await mkdir(writable)
  await chown(writable, uid, uid)
  const PATH = `${join(root, 'node_modules', '.bin')}:/usr/bin:/bin`
  /** Runs a shell command as that user. */
  const attempt = async (command: string, env: Record<string, string> = {}, cwd = project) => {
    const settings = { PATH, HOME: home, TMPDIR: writable, MONGOD_BINARY: mongod, PORT: '0', METRICS_PORT: '0', ...env }
    const done = run('/usr/bin/env', [...asUser, 'sh', '-c', command], { cwd, env: settings })
    const { code = 0, stdout, stderr } = await done.catch((error) => error)
    return { code, out: String(stdout), error: String(stderr) }
  }
  return { folder, project, projectForTsx, home, writable, attempt }
}

t.test('in a read-only checkout, with a read-only home', { skip, timeout: 460_000 }, async (t) => {
  const { folder, project, projectForTsx, home, writable, attempt } = await readOnlyCheckout(t)
  const server = 'node run.mjs src/main.ts'

  t.test('the server asks for DATA_DIR with one sentence, and exits with 78', async (t) => {
    const { code, out, error } = await attempt(server)
    t.match({ code, out }, { code: 78, out: '' })
    t.equal(
      error,
      `DATA_DIR ${join(project, '.data')} cannot be used for the generated secrets (EACCES): make it writable, or set DATA_DIR to a directory that is.\n`,
    )
    const key = 'Zx9-4kTq_w8LmN2pRs6vYb3cDf5gHj7K'
    const secrets = { DB_PASSWORD: 'Zx9-4kTq_w8LmN2p', JWT_SIGN_KEY: key, TOTP_KEYS: `first:${key}` }
    const other = await attempt(server, secrets)
    t.equal(other.code, 78)
    t.match(other.error, /^DATA_DIR .* cannot be used: .* no permission to write there\. Set another DATA_DIR\.\n$/)
  })

  t.test('the demo runs server and bot, and tsx the bot', async (t) => {
    const { code, out } = await attempt('npm run demo -- --users 1 --posts 1 --reactions 1')
    t.equal(code, 0, out)
    t.match(out, /ledger agrees/)
    t.match(await attempt('npx tsx bot --help', {}, projectForTsx), { code: 0, out: /--reactions <n>/, error: '' })
  })

  t.test('npm run test:file runs a file', async (t) => {
    const found = await attempt('npm run test:file -- test/environment/dot-env.test.ts')
    t.match(found, { code: 0, out: /[1-9]\d* passed, 0 failed/ })
  })

  t.test('a TMPDIR that is read-only, or too long for a socket, is told with one sentence', async (t) => {
    const long = join(writable, 'x'.repeat(100))
    for (const [command, env, sentence] of [
      ['node run.mjs bot/demo.ts', { TMPDIR: home }, / cannot be used for temporary files \(EACCES\): export another/],
      ['node run.mjs bot/chaos/main.ts', { TMPDIR: home }, / cannot be used for temporary files \(EACCES\): export/],
      [server, { TMPDIR: home, DATA_DIR: long, WEB_CONCURRENCY: '2' }, / cannot be used \(EACCES\): export another /],
      [server, { TMPDIR: long, DATA_DIR: long, WEB_CONCURRENCY: '2' }, /its path is too long\): export another /],
    ] as const) {
      const { code, error } = await attempt(command, env)
      t.equal(code, 78, command)
      t.match(error, sentence)
      t.match(error, /^[^\n]+\n$/, 'one line')
    }
    t.match(await attempt('npm run bot -- --help', { TMPDIR: home }), { code: 0, error: '' })
    t.ok(await nothingRuns(folder))
  })
})
