import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { processesWith } from '../database/fixtures/processes.ts'

const root = join(import.meta.dirname, '..', '..')

/** Runs a script; `onOutput` gets all output so far. */
async function run(args: string[], env: Record<string, string>, onOutput?: (output: string, kill: () => void) => void) {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk
      onOutput?.(output, () => child.kill('SIGINT'))
    })
  const [code] = await once(child, 'close')
  return { code, output }
}

t.test('the demo runs bot and server on a database of its own and leaves no files', { timeout: 120_000 }, async (t) => {
  const TMPDIR = t.testdir()
  // The demo must never write to the database that these lead to.
  const env = { TMPDIR, MONGODB_URI: 'mongodb://127.0.0.1:9', PORT: '5000' }
  const args = ['bot/demo.ts', '--users', '2', '--posts', '2', '--reactions', '5', '--seed', '3']
  const { code, output } = await run(args, env)
  t.equal(code, 0, 'exit code', { output })
  t.match(output, /^server \| .*Rookery listens on http:\/\/127\.0\.0\.1:(?!5000\b)\d+/m)
  t.match(output, /^bot {4}\| ledger agrees: .* 10 posts, \d+ reactions, \d follows and \d deletions? /m)
  t.strictSame(await readdir(TMPDIR), [])
})

t.test('the demo exits with the bot’s exit code', { timeout: 120_000 }, async (t) => {
  const { code, output } = await run(['bot/demo.ts', '--users', 'many'], { TMPDIR: t.testdir() })
  t.equal(code, 2)
  t.match(output, /--users must be an integer/)
})

t.test('an interrupted demo verifies acknowledged writes and leaves no files', { timeout: 120_000 }, async (t) => {
  const TMPDIR = t.testdir()
  let interrupted = false
  const { code, output } = await run(
    ['bot/demo.ts', '--reactions', '10000', '--replies', '0'],
    { TMPDIR },
    (output, kill) => {
      if (interrupted || !/^bot {4}\| post:/m.test(output)) return
      interrupted = true
      kill()
    },
  )
  t.equal(code, 130, 'exit code', { output })
  t.match(output, /ledger agrees: .* 50 posts/)
  t.strictSame(await readdir(TMPDIR), [])
})

t.test(
  'a demo whose output is no longer read (| head) leaves no process and no files',
  { timeout: 120_000 },
  async (t) => {
    const TMPDIR = t.testdir()
    const child = spawn(process.execPath, ['bot/demo.ts', '--reactions', '10000'], {
      cwd: root,
      env: { ...process.env, TMPDIR },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
      if (/^bot {4}\| post:/m.test(output)) child.stdout.destroy()
    })
    const [code] = await once(child, 'exit')
    t.not(code, 0)
    t.same(await processesWith(TMPDIR), [])
    t.strictSame(await readdir(TMPDIR), [])
  },
)

t.test(
  'npm run demo | head -1 ends quietly, and leaves neither a server nor a mongod',
  { timeout: 120_000 },
  async (t) => {
    const TMPDIR = t.testdir()
    const child = spawn('bash', ['-c', 'npm run demo | head -1'], {
      cwd: root,
      env: { ...process.env, TMPDIR },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const [said] = await Promise.all([text(child.stderr), once(child, 'exit')])
    t.equal(said, '')
    t.same(await processesWith(TMPDIR), [])
    t.strictSame(await readdir(TMPDIR), [])
  },
)
