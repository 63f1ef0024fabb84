import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { generate } from 'selfsigned'
import t from 'tap'
import { reportSchema } from '../../bot/report/schema.ts'
import { testServer } from '../helper.ts'
import { forwardTo, listen } from './forward.ts'
import { lyingProxy, type ProxiedRequest, problem, withBody } from './lying-proxy.ts'

const root = join(import.meta.dirname, '..', '..')

/** Runs the command line without a terminal. */
async function bot(...args: string[]) {
  const done = promisify(execFile)(process.execPath, ['bot/index.ts', ...args], { cwd: root })
  const { code = 0, stdout, stderr } = await done.catch((error) => error)
  return { code, stdout: String(stdout), stderr: String(stderr) }
}

/** And not the question for the limit on sign-ups, which has no members. */
const isSignUp = ({ path, body }: ProxiedRequest) => path === '/v1/accounts' && body !== '{}'

const small = ['--users', '2', '--posts', '2', '--replies', '1', '--follows', '1', '--reactions', '2']

t.test('a successful run exits with 0 and prints progress, stats and verdict, but no credentials', async (t) => {
  const server = await testServer(t)
  const passwords: string[] = []
  const cookies: string[] = []
  const proxy = await lyingProxy(server.url, async (request, forward) => {
    if (isSignUp(request)) passwords.push(JSON.parse(request.body).password)
    if (request.cookie) cookies.push(...request.cookie.split('; ').map((cookie) => cookie.replace(/^.*?=/, '')))
    return forward()
  })
  t.teardown(proxy.close)
  const { code, stdout, stderr } = await bot('--url', proxy.url, ...small, '--seed', '4')
  t.equal(code, 0, stderr + stdout)
  t.match(stdout, /^2 users, 2 posts and 2 reactions each, .* seed 4 \(repeat with --seed 4\)$/m)
  t.match(stdout, /^sign up: 2 of 2 in [\d.]+ s$/m)
  t.match(stdout, /^post +5 +[\d.]+ +0 +[\d.]+ +[\d.]+ +- +[\d.]+$/m)
  t.match(
    stdout,
    /^ledger agrees: [\d,]+ comparisons, at the end with \d posts, \d+ reactions and \d+ follows that stand$/m,
  )
  t.equal(stderr, '')
  t.ok(passwords.length === 2 && cookies.length > 0)
  for (const secret of [...passwords, ...cookies]) t.notOk(stdout.includes(secret), 'neither password nor cookie')
})

t.test('without --seed passwords are random; with it they follow from it, the usernames never', async (t) => {
  const server = await testServer(t)
  const bodies: { username: string; password: string }[] = []
  const proxy = await lyingProxy(server.url, async (request, forward) => {
    if (isSignUp(request)) bodies.push(JSON.parse(request.body))
    return forward()
  })
  t.teardown(proxy.close)
  const args = ['--users', '1', '--posts', '1', '--deletions', '0', '--url', proxy.url]
  const { code, stdout } = await bot(...args)
  t.equal(code, 0, stdout)
  const seed = / seed (\d+) /.exec(stdout)?.[1] ?? ''
  for (let n = 0; n < 2; n += 1) await bot(...args, '--seed', seed)
  const [unseeded, one, other] = bodies
  t.equal(one?.password, other?.password)
  t.not(unseeded?.password, one?.password)
  t.equal(new Set(bodies.map(({ username }) => username)).size, 3)
})

t.test('contradictions are listed, at most 20, and the exit code is 1', async (t) => {
  const server = await testServer(t)
  const proxy = await lyingProxy(server.url, async ({ method, path }, forward) => {
    const reply = await forward()
    if (method !== 'GET' || !/^\/v1\/posts\/[^/]+$/.test(path)) return reply
    return withBody<object>(reply, (post) => ({ ...post, text: '0. forged' }))
  })
  t.teardown(proxy.close)
  const { code, stdout } = await bot(
    '--url',
    proxy.url,
    '--users',
    '5',
    '--posts',
    '6',
    '--replies',
    '0',
    '--reactions',
    '0',
  )
  t.equal(code, 1)
  t.match(stdout, /^R text:\w+\/\d: expected .*, seen "0\. forged" at character \d of 9 \([-0-9a-f, ]+ in \d+ ms\)$/m)
  t.match(stdout, /^and \d+ more$/m)
  t.match(stdout, /^ledger disagrees: \d+ contradictions in [\d,]+ comparisons/m)
})

t.test('--json - prints nothing but the report, --report one page; a missed --expect exits with 3', async (t) => {
  const server = await testServer(t)
  const page = join(t.testdir(), 'report.html')
  const args = ['--url', server.url, ...small, '--json', '-', '--report', page]
  const { code, stdout, stderr } = await bot(...args, '--expect', 'post p50>3600s')
  const report = reportSchema.parse(JSON.parse(stdout))
  t.match(report, {
    check: { verdict: 'agrees' },
    options: { robots: 2, reactions: 2 },
    expectations: [{ isMet: false }],
  })
  t.equal(report.exit.code, code)
  t.ok(report.exit.all.some(({ code }) => code === 3))
  t.match(stderr, /^ledger agrees/m)
  t.match(await readFile(page, 'utf8'), /Data: agrees/)
})

t.test('an unexpected answer exits with 3, and a report that cannot be written with 2 before the run', async (t) => {
  const server = await testServer(t)
  const proxy = await lyingProxy(server.url, async ({ method, path }, forward) =>
    method === 'PUT' && path.endsWith('/follow') ? problem(418, 'teapot') : forward(),
  )
  t.teardown(proxy.close)
  const { code, stdout } = await bot('--url', proxy.url, '--robots', '3', '--reactions', '2', '--follows', '4')
  t.equal(code, 3, stdout)
  t.match(stdout, /^unexpected: follow, 418 teapot, (once|\d+ times)$/m)
  const before = proxy.requests.length
  const unwritable = await bot('--url', proxy.url, '--json', '/does/not/exist/a.json', '--report', '/nor/this.html')
  t.match(unwritable, { code: 2, stderr: /^--json \S+ cannot be written.*\n--report \S+ cannot be written/ })
  t.equal(proxy.requests.length, before)
})

t.test('--for and --rate make an open model, whose figures are judged', async (t) => {
  const server = await testServer(t)
  const args = ['--url', server.url, '--robots', '3', '--for', '3s', '--rate', '20', '--ramp', '1s', '--json', '-']
  const { code, stdout, stderr } = await bot(...args)
  const report = reportSchema.parse(JSON.parse(stdout))
  t.match(report, { run: { model: 'open' }, check: { verdict: 'agrees' }, load: { isJudged: true } }, stderr)
  // 5 when the machine is too busy for valid figures.
  t.ok(code === 0 || (code === 5 && report.load.invalid.length > 0), `${code}`)
  t.notOk(
    report.actions.some(({ action }) => action === 'sign up'),
    'signing up and the ramp are not measured',
  )
})

t.test('--url may hold a path, --ca names the authority of an https server', async (t) => {
  const stub = await testServer(t)
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  })
  const ca = join(t.testdir(), 'ca.pem')
  await writeFile(ca, cert)
  const pathOf = (path: string) => path.replace(/^\/social\//, '/')
  const secure = createSecureServer({ key, cert }, forwardTo(stub.url, { pathOf }))
  const url = `https://127.0.0.1:${await listen(t, secure)}/social`
  const size = small
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
  const proxy = await lyingProxy('http://127.0.0.1', async () => problem(403, 'forbidden'))
  t.teardown(proxy.close)
  const { code, stderr } = await bot('--url', proxy.url)
  t.equal(code, 2)
  t.match(stderr, /^http:\S+ is not a Rookery server: GET \/health\/ready returned 403\.\n$/)
})

t.test('a reader that leaves (| head) ends the printing, and the exit code is that of the verdict', async (t) => {
  const server = await testServer(t)
  const child = spawn(process.execPath, ['bot/index.ts', '--url', server.url, ...small], { cwd: root })
  child.stdout.once('data', () => child.stdout.destroy())
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  t.equal(code, 0)
  t.equal(said, '')
})

t.test('an invalid option exits with 2 and one sentence, --help with 0 and the usage', async (t) => {
  t.match(await bot('--users', '0'), {
    code: 2,
    stdout: '',
    stderr: /^--users must be an integer from 1 to 10000\.\n$/,
  })
  t.match(await bot('--help', '--users', '3'), { code: 0, stdout: /--reactions <n>/, stderr: '' })
})

t.test('verify judges a ledger as the run did; the file is private and holds no secret', async (t) => {
  const server = await testServer(t)
  const secrets: string[] = []
  for (const [name, code, forge] of [
    ['honest', 0, false],
    ['lying', 1, true],
  ] as const) {
    const proxy = await lyingProxy(server.url, async (request, forward) => {
      if (isSignUp(request)) secrets.push(JSON.parse(request.body).password)
      if (request.cookie) secrets.push(...request.cookie.split('; ').map((cookie) => cookie.replace(/^.*?=/, '')))
      const reply = await forward()
      if (!forge || request.method !== 'GET' || !/^\/v1\/posts\/[^/]+$/.test(request.path)) return reply
      return withBody<object>(reply, (post) => ({ ...post, text: '0. forged' }))
    })
    t.teardown(proxy.close)
    const ledger = join(t.testdir(), `${name}.ledger`)
    const run = await bot('--url', proxy.url, ...small, '--ledger', ledger)
    t.equal(run.code, code, run.stdout)
    const { code: verified, stdout } = await bot('verify', ledger)
    t.equal(verified, code)
    t.match(stdout, forge ? /^ledger disagrees: \d+ contradictions in /m : /^ledger agrees in \d+ comparisons$/m)
    const found = (out: string) => /disagrees: (\d+) contradictions/.exec(out)?.[1]
    t.equal(found(stdout), found(run.stdout), 'the same contradictions')
    t.equal((await stat(ledger)).mode & 0o777, 0o600)
    const content = await readFile(ledger, 'utf8')
    t.ok(secrets.length > 4)
    for (const secret of secrets) if (content.includes(secret)) t.fail('a secret in the ledger')
    t.match(await bot('--url', proxy.url, '--ledger', ledger), { code: 2, stderr: /must be a new file/ })
  }
  t.match(await bot('verify', 'package.json'), { code: 2, stderr: /^package\.json is not a ledger of the bot: / })
  t.match(await bot('verify'), { code: 2, stderr: 'verify needs the path of one ledger.\n' })
})
