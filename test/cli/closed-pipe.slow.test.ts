import { execFile } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { generateKey, serializeKeyRing } from '../../src/secrets/change-key-ring.ts'
import { signUp, testServer } from '../helper.ts'
import { nothingRuns, root } from '../main/server-process.ts'
import { emptyVariables, external } from './start-command.ts'

const run = promisify(execFile)

/** Runs a command as in `command | head`, whose reader has left before the first line. */
async function runUnread(env: NodeJS.ProcessEnv, pipe: '|' | '2>&1 |', command: readonly string[]) {
  const [program, args] = ['bash', ['-o', 'pipefail', '-c', `"$@" ${pipe} true`, 'bash', ...command]]
  const { code = 0, stderr } = await run(program, args, { cwd: tmpdir(), env }).catch((error) => error)
  return { code, error: String(stderr) }
}

t.test(
  'each command ends with its exit code and without a stack if its output is not read',
  { timeout: 240_000 },
  async (t) => {
    const { url, connection, db } = await testServer(t)
    const { username } = await signUp(url)
    await db.collection('accountCounts').updateMany({}, { $inc: { posts: 1 } })
    const folder = t.testdir({ 'ring.json': serializeKeyRing([generateKey('EdDSA', new Date())]) })
    const ring = join(folder, 'ring.json')
    const { TEST_MONGOD_BINARY: MONGOD_BINARY } = process.env
    const env = { ...process.env, ...emptyVariables, MONGOD_BINARY, TMPDIR: folder, ...external(connection) }
    const table: [exitCode: number, pipe: '|' | '2>&1 |', program: string, ...args: string[]][] = [
      [0, '|', 'src/cli/accounts.ts', 'show', username],
      [1, '2>&1 |', 'src/cli/accounts.ts', 'show', 'not_there'],
      [0, '|', 'src/cli/keys.ts', 'list', ring],
      [78, '2>&1 |', 'src/cli/keys.ts', 'unknown'],
      [1, '|', 'src/cli/reconcile.ts'],
      [0, '|', 'src/cli/roles.ts', '--print'],
      [78, '2>&1 |', 'src/cli/prepare-database.ts'],
      [0, '|', 'bot/chaos/main.ts', '--help'],
      [2, '2>&1 |', 'bot/chaos/main.ts', '--rounds', '0'],
    ]
    for (const [exitCode, pipe, program, ...args] of table) {
      const name = `${program} ${args.join(' ')} ${pipe} true`
      const found = await runUnread(env, pipe, [process.execPath, join(root, 'run.mjs'), program, ...args])
      t.equal(found.code, exitCode, name, found)
      t.notMatch(found.error, /EPIPE|^ +at /m, name)
    }
    t.ok(await nothingRuns(folder))
  },
)

t.test('a full disk under standard error does not change the exit code of a command that has acted', async (t) => {
  const { url, connection } = await testServer(t)
  const { username } = await signUp(url)
  const env = { ...process.env, ...emptyVariables, ...external(connection) }
  const command = [process.execPath, join(root, 'run.mjs'), 'src/cli/accounts.ts', 'end-sessions', username]
  const shell = ['-c', '"$@" 2> /dev/full', 'bash', ...command]
  const { code = 0, stdout } = await run('bash', shell, { cwd: tmpdir(), env }).catch((error) => error)
  t.equal(code, 0)
  t.match(stdout, /1 session was ended/)
})
