import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { password, testServer } from '../helper.ts'
import { type Answer, ask, cookieOf, field } from '../http/wire.ts'
import { attemptLogin, deviceCookieIn } from './login-attempts.ts'

const attacks: Record<string, (n: number) => string> = {
  '80 /64s of one /48': (n) => `2001:db8:bad:${n.toString(16)}::1`,
  '80 addresses of one IPv4 /24': (n) => `203.0.113.${n}`,
}

/** Statuses, or codes of problems. A busy machine's database may be too slow: that is not what is tested here. */
async function outcomesOf(requests: (() => Promise<Answer>)[]): Promise<unknown[]> {
  const outcomeOf = async (request: () => Promise<Answer>): Promise<unknown> => {
    const { status, body } = await request()
    const code = field(body, 'code')
    if (code === 'database-unavailable' || code === 'outcome-unknown') return outcomeOf(request)
    return code ?? status
  }
  return [...new Set(await Promise.all(requests.map(outcomeOf)))]
}

/** Logs in with the right password on 80 connections, until the test's end. */
function flood(t: Test, port: number, addressOf: (n: number) => string) {
  let isOver = false
  const loop = async (n: number) => {
    while (!isOver) await attemptLogin(port, 'mallory', { from: addressOf(n), password })
  }
  const loops = Promise.all(Array.from({ length: 80 }, (_, n) => loop(n)))
  const stop = async () => {
    isOver = true
    await loops
  }
  t.teardown(stop)
  return stop
}

for (const [name, addressOf] of Object.entries(attacks)) {
  t.test(`while ${name} log in to the attacker’s own account, all others log in`, { timeout: 180_000 }, async (t) => {
    const { port } = await testServer(t, { TRUSTED_PROXIES: '127.0.0.1', BCRYPT_COST: '10' })
    await cookieOf(port, 'mallory')
    const cookies = await Promise.all(Array.from({ length: 8 }, (_, n) => cookieOf(port, `user${n}`)))
    const stop = flood(t, port, addressOf)
    // Until the attack has its logins waiting.
    await attemptLogin(port, 'mallory', { from: addressOf(80), password })

    const others = cookies.map((_, n) => () => attemptLogin(port, `user${n}`, { from: `2001:db8:${n}::1`, password }))
    t.same(await outcomesOf(others), [200], 'strangers in other networks')
    const from = addressOf(81)
    const known = cookies.map(
      (cookie, n) => () => attemptLogin(port, `user${n}`, { from, password, cookie: deviceCookieIn(cookie) }),
    )
    t.same(await outcomesOf(known), [200], 'known devices, even in the attacker’s network')
    const headers = { cookie: cookies[0] ?? '', 'x-forwarded-for': from }
    const confirm = () => ask(port, 'POST', '/v1/session/confirm', { json: { password }, headers })
    t.same(await outcomesOf([confirm]), [200], 'a live session')
    await stop()
  })
}

/** The median of 20 posts, one after another, in milliseconds. */
async function postMs(port: number, cookie: string): Promise<number> {
  const times: number[] = []
  for (let n = 0; n < 20; n += 1) {
    const startedMs = performance.now()
    const { status } = await ask(port, 'POST', '/v1/posts', { json: { text: 'Once' }, headers: { cookie } })
    if (status === 201) times.push(performance.now() - startedMs)
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.POSITIVE_INFINITY
}

for (const [name, limit, given] of [
  ['wrong passwords', '1', 'not the password'],
  ['right passwords, more than can be hashed', '1000', password],
] as const) {
  t.test(`while 150 connections repeat logins, ${name}, others post as before`, { timeout: 180_000 }, async (t) => {
    const { port } = await testServer(t, { LIMIT_FAILED_LOGINS_PER_ADDRESS: limit })
    await cookieOf(port, 'mallory')
    const cookie = await cookieOf(port, 'ann')
    await postMs(port, cookie)
    const before = await postMs(port, cookie)
    const program = fileURLToPath(new URL('fixtures/flood.ts', import.meta.url))
    const flood = fork(program, [String(port), 'mallory', given])
    t.teardown(() => flood.kill())
    await postMs(port, cookie)
    const during = await postMs(port, cookie)
    // Far more than a busy machine needs: without the pace it takes 70 times as long.
    t.ok(during < 10 * before + 200, `${during.toFixed()} ms, and ${before.toFixed()} ms before`)
  })
}
