import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { stripVTControlCharacters } from 'node:util'
import t from 'tap'
import { reportSchema } from '../../bot/report/schema.ts'
import { processesWith } from '../database/fixtures/processes.ts'
import { openTerminal } from '../fixtures/terminal.ts'

const root = join(import.meta.dirname, '..', '..')
const timeout = 300_000
const small = ['--robots', '2', '--posts', '2', '--reactions', '5', '--seed', '3']
/** The exit code where figures were asked for and the machine was too busy to measure them. */
const invalidFigures = 5

/** Runs the demo without a terminal; `onOutput` gets all output so far. */
async function demo(args: string[], env: Record<string, string>, onOutput?: (out: string, kill: () => void) => void) {
  const child = spawn(process.execPath, ['bot/demo.ts', ...args], {
    cwd: root,
    env: { ...process.env, BCRYPT_COST: '4', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const error = text(child.stderr)
  let out = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
    onOutput?.(out, () => child.kill('SIGINT'))
  })
  const [code] = await once(child, 'close')
  return { code, out, error: await error }
}

t.test('without a terminal: the bot’s lines, a server of its own, and no files', { timeout }, async (t) => {
  const TMPDIR = t.testdir()
  // The demo must never write to the database that these lead to.
  const env = { TMPDIR, MONGODB_URI: 'mongodb://127.0.0.1:9', PORT: '5000' }
  let log = ''
  const { code, out, error } = await demo([...small, '--for', '6s'], env, (out) => {
    log ||= /^Starting a server; its log is (\S+)$/m.exec(out)?.[1] ?? ''
  })
  t.ok(code === 0 || code === invalidFigures, `exit code ${code}`, { out, error })
  t.equal(join(log, '..'), TMPDIR)
  t.match(out, /^2 users for 6 s, at http:\/\/127\.0\.0\.1:(?!5000\b)\d+, seed 3 /m)
  t.match(out, /^\d:\d\d; [\d,]+ requests\/s; p50 .* server ready/m, 'a line each 5 s')
  t.match(out, /^ledger agrees: /m)
  t.notMatch(out, /Rookery listens/)
  // A busy machine makes figures invalid; then the log stays.
  t.strictSame(await readdir(TMPDIR), code === 0 ? [] : [basename(log)])
})

t.test('on a terminal of 80 columns the bot’s view is redrawn, and Ctrl-C ends it', { timeout }, async (t) => {
  const TMPDIR = t.testdir()
  const command = ['sh', '-c', 'stty rows 24 cols 80 && exec npm run --silent demo -- --for 10m --robots 3']
  const terminal = openTerminal(t, command, { TMPDIR })
  await terminal.shows(/server +ready/)
  await terminal.shows(/phase +day: [1-9]\d/)
  terminal.pressCtrlC()
  const { code, out } = await terminal.ended
  t.equal(code, 130, out)
  t.ok(out.includes('A\x1b[J'), 'redrawn')
  const lines = stripVTControlCharacters(out).split(/\r?\n/)
  t.ok(
    lines.filter((line) => /^(robots|phase|requests\/s|latency|errors|checked|server) /.test(line)).length >= 7,
    'the view',
  )
  t.match(out, /ledger agrees: /, 'what was acknowledged was checked')
  t.same(await processesWith(TMPDIR), [])
  t.strictSame(await readdir(TMPDIR), [])
})

t.test('a failure keeps the bot’s exit code and the server’s log, and names it', { timeout }, async (t) => {
  const TMPDIR = t.testdir()
  const { code, out } = await demo([...small, '--expect', 'post p50>3600s'], { TMPDIR })
  t.ok(code === 3 || (code === invalidFigures && out.includes('exit code 5 (also 3)')), `exit code ${code}: ${out}`)
  const path = /^The server's log is in (\S+)$/m.exec(out)?.[1] ?? ''
  t.strictSame(
    (await readdir(TMPDIR)).map((name) => join(TMPDIR, name)),
    [path],
  )
  t.match(await readFile(path, 'utf8'), /Rookery listens on http/)
  t.equal((await stat(path)).mode & 0o777, 0o600)
})

t.test('a server that does not start is shown by the end of its log, with exit code 2', { timeout }, async (t) => {
  const { code, error } = await demo(small, { TMPDIR: t.testdir(), MONGOD_BINARY: '/nowhere/mongod' })
  t.equal(code, 2, error)
  t.match(error, /^The server did not start; its log ends with:\n(.*\n)*.*\/nowhere\/mongod/)
})

t.test('invalid options exit with 2 before a server starts; --help shows the bot’s', { timeout }, async (t) => {
  const TMPDIR = t.testdir()
  t.match(await demo(['--users', 'many'], { TMPDIR }), { code: 2, out: '', error: /^--users must be an integer/ })
  t.match(await demo(['--url', 'http://127.0.0.1:1'], { TMPDIR }), { code: 2, out: '', error: /^Leave out --url: / })
  t.match(await demo(['--help'], { TMPDIR }), { code: 0, out: /^Usage: /, error: '' })
})

t.test('with --json - the report is all that goes to standard output', { timeout }, async (t) => {
  const { code, out, error } = await demo([...small, '--json', '-'], { TMPDIR: t.testdir() })
  t.match(reportSchema.parse(JSON.parse(out)), { check: { verdict: 'agrees' }, exit: { code: 0 } })
  t.equal(code, 0)
  t.match(error, /^Starting a server; /)
})

t.test('an interrupted demo checks acknowledged writes and leaves no files', { timeout }, async (t) => {
  const TMPDIR = t.testdir()
  let interrupted = false
  const { code, out } = await demo(['--for', '10m', '--robots', '3'], { TMPDIR }, (out, kill) => {
    if (interrupted || !/; day: \d{2,}$/m.test(out)) return
    interrupted = true
    kill()
  })
  t.equal(code, 130, 'exit code', { out })
  t.match(out, /^ledger agrees: /m)
  t.strictSame(await readdir(TMPDIR), [])
})

t.test('npm run demo | head -1 ends quietly, and leaves neither a server nor a mongod', { timeout }, async (t) => {
  const TMPDIR = t.testdir()
  const demo = `npm run demo -- ${small.join(' ')} | head -1; exit \${PIPESTATUS[0]}`
  const child = spawn('bash', ['-c', demo], {
    cwd: root,
    env: { ...process.env, BCRYPT_COST: '4', TMPDIR },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  t.equal(said, '')
  t.equal(code, 0, 'the verdict’s code')
  t.same(await processesWith(TMPDIR), [])
  t.strictSame(await readdir(TMPDIR), [])
})
