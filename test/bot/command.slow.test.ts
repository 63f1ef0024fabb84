import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { generate } from 'selfsigned'
import t from 'tap'
import { identity } from '../../bot/content.ts'
import { reportSchema } from '../../bot/report/schema.ts'
import { forwardTo, listen } from './forward.ts'
import { stubServer } from './stub-server.ts'

const root = join(import.meta.dirname, '..', '..')

/** Runs the command line without a terminal. */
async function bot(...args: string[]) {
  const done = promisify(execFile)(process.execPath, ['bot/index.ts', ...args], { cwd: root })
  const { code = 0, stdout, stderr } = await done.catch((error) => error)
  return { code, stdout: String(stdout), stderr: String(stderr) }
}

t.test('a successful run exits with 0 and prints progress, stats and verdict, but no credentials', async (t) => {
  const stub = await stubServer(t)
  const { code, stdout, stderr } = await bot('--url', stub.url, '--users', '2', '--seed', '4')
  t.equal(code, 0, stderr)
  t.match(stdout, /^2 users, 5 posts and 20 reactions each, .* seed 4 \(repeat with --seed 4\)$/m)
  t.match(stdout, /^post: 10 of 10 in [\d.]+ s$/m)
  t.match(stdout, /^post +10 +[\d.]+ +0 +[\d.]+ +[\d.]+ +- +[\d.]+$/m)
  t.match(
    stdout,
    /^ledger agrees: .* the 16 posts, \d+ reactions, \d+ follows and \d+ deletions? that it acknowledged$/m,
  )
  t.equal(stderr, '')
  for (const { password } of stub.accounts.values()) t.notOk(stdout.includes(password), 'no password in the output')
  for (const session of stub.sessions.keys()) t.notOk(stdout.includes(session), 'no cookie in the output')
})

t.test('without --seed names and passwords do not follow from the printed seed; with it they do', async (t) => {
  const [unseeded, seeded] = [await stubServer(t), await stubServer(t)]
  const { code, stdout } = await bot('--url', unseeded.url, '--users', '2', '--deletions', '0')
  t.equal(code, 0, stdout)
  const seed = Number(/ seed (\d+) /.exec(stdout)?.[1])
  await bot('--url', seeded.url, '--users', '2', '--deletions', '0', '--seed', String(seed))
  for (const index of [0, 1]) {
    const { username, password } = identity(seed, index)
    t.match(seeded.accounts.get(username), { password })
    t.notOk(unseeded.accounts.has(username))
    t.notOk([...unseeded.accounts.values()].some((account) => account.password === password))
  }
  t.equal(unseeded.accounts.size, 2)
})

t.test('mismatches are listed, at most 20, and the exit code is 1', async (t) => {
  const stub = await stubServer(t)
  stub.falsify = (path, body) => (/^\/v1\/posts\/[^/]+$/.test(path) ? { ...Object(body), text: 'forged' } : body)
  const { code, stdout } = await bot(
    '--url',
    stub.url,
    '--users',
    '5',
    '--posts',
    '6',
    '--replies',
    '0',
    '--deletions',
    '0',
  )
  t.equal(code, 1)
  t.match(stdout, /expected the text .*, got "forged"/)
  t.match(stdout, /^and 10 more$/m)
  t.match(stdout, /^ledger disagrees: .* 30 mismatches/m)
})

t.test(
  '--json - prints nothing but the report, --report one page; an --expect that is missed exits with 3',
  async (t) => {
    const stub = await stubServer(t)
    const page = join(t.testdir(), 'report.html')
    const args = ['--url', stub.url, '--robots', '2', '--reactions', '4', '--json', '-', '--report', page]
    const { code, stdout, stderr } = await bot(...args, '--expect', 'like p50>3600s')
    const report = reportSchema.parse(JSON.parse(stdout))
    t.match(report, {
      check: { verdict: 'agrees' },
      options: { robots: 2, reactions: 4 },
      expectations: [{ isMet: false }],
    })
    t.equal(report.exit.code, code)
    t.ok(report.exit.all.some(({ code }) => code === 3))
    t.notOk(
      report.actions.some(({ action }) => action === 'list follows'),
      'the check is not measured',
    )
    t.match(stderr, /^ledger agrees/m)
    t.match(await readFile(page, 'utf8'), /Data: agrees/)
  },
)

t.test('an unexpected answer exits with 3, and a report that cannot be written with 2 before the run', async (t) => {
  const stub = await stubServer(t, ({ url, method }) =>
    method === 'PUT' && url?.endsWith('/follow') ? { status: 418, body: { code: 'teapot' } } : undefined,
  )
  const { code, stdout } = await bot('--url', stub.url, '--robots', '2')
  t.equal(code, 3, stdout)
  t.match(stdout, /^unexpected: follow, 418 teapot, \d+ times$/m)
  const before = stub.requests.length
  const unwritable = await bot('--url', stub.url, '--json', '/does/not/exist/a.json', '--report', '/nor/this.html')
  t.match(unwritable, { code: 2, stderr: /^--json \S+ cannot be written.*\n--report \S+ cannot be written/ })
  t.equal(stub.requests.length, before)
})

t.test('--url may hold a path, --ca names the authority of an https server', async (t) => {
  const stub = await stubServer(t)
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  })
  const ca = join(t.testdir(), 'ca.pem')
  await writeFile(ca, cert)
  const pathOf = (path: string) => path.replace(/^\/social\//, '/')
  const secure = createSecureServer({ key, cert }, forwardTo(stub.url, { pathOf }))
  const url = `https://127.0.0.1:${await listen(t, secure)}/social`
  const size = ['--robots', '2', '--reactions', '4']
  t.match(await bot('--url', url, '--ca', ca, ...size), { code: 0, stdout: /ledger agrees/ })
  t.match(await bot('--url', url, ...size), { code: 2, stderr: /is not trusted .*; give its authority with --ca\.\n$/ })
  t.match(await bot('--url', `${stub.url}/docs#sessions`, ...size), { code: 0 }, 'the path of a page is left out')
})

t.test('version, schema and compare are printed without a server', async (t) => {
  t.match(await bot('--version'), { code: 0, stdout: /^\d+\.\d+\.\d+\n$/ })
  t.match(JSON.parse((await bot('schema')).stdout), { properties: { format: { const: 'rookery-bot-report/1' } } })
  t.match(await bot('compare', 'a.json'), { code: 2, stderr: /^compare needs two reports/ })
  t.match(await bot('compare', 'package.json', 'package.json'), { code: 2, stderr: /^package.json is not a report/ })
})

t.test('an unreachable server exits with 2 and one sentence', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  // A listening TCP server always has an AddressInfo.
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  const { code, stdout, stderr } = await bot('--url', `http://127.0.0.1:${port}`)
  t.equal(code, 2)
  t.equal(stdout, '')
  t.equal(stderr, `No server responds at http://127.0.0.1:${port}; start one with "npm start".\n`)
})

t.test('another program on the port exits with 2 and one sentence', async (t) => {
  const stub = await stubServer(t, () => ({ status: 403 }))
  const { code, stderr } = await bot('--url', stub.url)
  t.equal(code, 2)
  t.match(stderr, /^http:\S+ is not a Rookery server: GET \/health\/ready returned 403\.\n$/)
})

t.test('an invalid option exits with 2 and one sentence, --help with 0 and the usage', async (t) => {
  t.match(await bot('--users', '0'), {
    code: 2,
    stdout: '',
    stderr: /^--users must be an integer from 1 to 10000\.\n$/,
  })
  t.match(await bot('--help', '--users', '3'), { code: 0, stdout: /--reactions <n>/, stderr: '' })
})
