import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { isSuccess } from '../../bot/report/verdict.ts'
import { runAgainst } from './run-crowd.ts'

const root = join(import.meta.dirname, '..', '..')

t.test('three kill -9 of mongod during a run lose no acknowledged write', { timeout: 400_000 }, async (t) => {
  const { url, mongodPid, errors } = await startServer(t, t.testdir())
  const killed: number[] = []
  const kill = async () => {
    const pid = await mongodPid()
    process.kill(pid, 'SIGKILL')
    killed.push(pid)
  }
  const { findings, stats } = await runAgainst(url, {
    users: 8,
    posts: 10,
    reactions: 80,
    replies: 4,
    follows: 6,
    deletions: 13,
    totalMs: 120_000,
    attemptTimeoutMs: 25_000,
    onPhase: (name) => {
      if (name === 'day') for (const ms of [500, 3_500, 6_500]) setTimeout(() => kill().catch(t.threw), ms)
    },
  })
  t.equal(new Set([...killed, await mongodPid()]).size, 4, 'a new mongod after each of three kills')
  t.strictSame(findings.findings, [])
  t.ok(findings.totals.posts > 80)
  const failures = stats.failures()
  t.ok(isSuccess(findings, failures), 'success', { failures, gaveUp: [...findings.gaveUp], errors })
})

/** Starts a server with an embedded mongod that the test may kill. */
async function startServer(t: Test, dataDir: string) {
  const { TEST_MONGOD_BINARY } = process.env
  const child = spawn(process.execPath, ['src/main.ts'], {
    cwd: root,
    env: {
      ...process.env,
      DATA_DIR: dataDir,
      PORT: '0',
      METRICS_PORT: '0',
      BCRYPT_COST: '4',
      MONGODB_URI: '',
      ...(TEST_MONGOD_BINARY && { MONGOD_BINARY: TEST_MONGOD_BINARY }),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(async () => {
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
  })
  const lines = createInterface(child.stdout)
  const errors: string[] = []
  lines.on('line', (line) => {
    if (/ERROR|^ {4}/.test(line)) errors.push(line)
  })
  const url = await new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => {
      const found = /Rookery listens on (http:\S+)/.exec(line)?.[1]
      if (found) resolve(found)
    })
    child.once('exit', () => reject(new Error('the server did not start')))
  })
  const lock = join(dataDir, 'mongod', 'data', 'mongod.lock')
  return { url, errors, mongodPid: async () => Number(await readFile(lock, 'utf8')) }
}
