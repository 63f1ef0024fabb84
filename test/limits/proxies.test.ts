import t from 'tap'
import { password, testServer } from '../helper.ts'
import { ask, cookieOf, expectProblem, field, pointersOf } from '../http/wire.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import { attemptLogin, countStatuses, expectLimited } from './login-attempts.ts'
import { atQuarterHour } from './quarter-hour.ts'

const headerNames = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-client-ip', 'cf-connecting-ip']
const pair = 'failed-logins-by-account-and-address'

/** The client's address of a login, which the answer, the list of sessions and the activity must agree on. */
async function clientAddress(port: number, headers: Record<string, string>) {
  const json = { username: 'ann', password }
  const answer = await ask(port, 'POST', '/v1/session', { json, headers })
  const cookie = `session=${setCookies(answer.headers).session?.value}`
  const first = async (path: string) => {
    const { body } = await ask(port, 'GET', path, { headers: { cookie, ...headers } })
    const items = field(body, 'items')
    return field(Array.isArray(items) ? items[0] : undefined, 'ip')
  }
  const inAnswer = field(field(answer.body, 'session'), 'ip')
  const addresses = new Set([inAnswer, await first('/v1/sessions'), await first('/v1/account/activity')])
  return addresses.size === 1 && answer.status === 200 ? inAnswer : [answer.status, ...addresses]
}

/** The statuses of failed logins of one account, one after another. */
async function failRepeatedly(port: number, times: number, from: (n: number) => string) {
  const answers = []
  for (let n = 0; n < times; n += 1) answers.push(await attemptLogin(port, 'ann', { from: from(n) }))
  return countStatuses(answers)
}

type Server = Awaited<ReturnType<typeof testServer>>

const logOf = ({ lines }: Pick<Server, 'lines'>) => lines.map((line): Record<string, unknown> => JSON.parse(line))

for (const TRUSTED_PROXIES of ['', '10.0.0.0/8,::1']) {
  t.test(`forwarding headers of an untrusted peer are ignored (trusted: ${TRUSTED_PROXIES || 'none'})`, async (t) => {
    const server = await testServer(t, { TRUSTED_PROXIES })
    const { port, db } = server
    await cookieOf(port, 'Ann')
    const warnings = () => logOf(server).filter(({ msg }) => /^forwarding headers are ignored/.test(String(msg)))
    t.same(warnings(), [])
    for (const name of headerNames) {
      for (const address of ['203.0.113.1', '10.0.0.1']) {
        const value = name === 'forwarded' ? `for="${address}"` : address
        t.equal(await clientAddress(port, { [name]: value }), '127.0.0.1', `${name}: ${value}`)
      }
    }
    t.same(
      await failRepeatedly(port, 14, (n) => `203.0.113.${n}`),
      { 401: 10, 429: 4 },
      'nor do they evade the limit of failed logins',
    )
    expectLimited(t, await attemptLogin(port, 'ann', { from: '203.0.113.99', password }), pair, 10)
    t.match(warnings(), [{ level: 40, peer: '127.0.0.1', msg: /TRUSTED_PROXIES/ }])
    t.equal(warnings().length, 1, 'one warning, however many requests')
    const kept = await db.collection<{ _id: string }>('attempts').distinct('_id')
    t.notMatch(kept.join(), /203\.0\.113|10\.0\.0|::1/)
  })
}

t.test('X-Forwarded-For of an untrusted peer does not evade the limit of writes', async (t) => {
  atQuarterHour(t)
  const { port } = await testServer(t, { LIMIT_WRITES_PER_ADDRESS: '3' })
  const cookie = await cookieOf(port, 'Ann')
  const write = (n: number) =>
    ask(port, 'PATCH', '/v1/account', { json: {}, headers: { cookie, 'x-forwarded-for': `203.0.113.${n}` } })
  for (const n of [1, 2, 3]) t.equal((await write(n)).status, 400)
  t.match((await write(4)).headers, { 'ratelimit-policy': '"writes-by-address";q=3;w=900' })
})

t.test('behind trusted proxies', async (t) => {
  const server = await testServer(t, { TRUSTED_PROXIES: '127.0.0.1,10.0.0.0/8,2001:db8:ffff::/48' })
  const { port, db } = server
  await cookieOf(port, 'Ann')
  const reset = () => db.collection('attempts').deleteMany({})

  t.test('the client is the last address in X-Forwarded-For that is no trusted proxy', async (t) => {
    const chains: Record<string, string> = {
      '203.0.113.1': '203.0.113.1',
      '198.51.100.7, 203.0.113.1': '203.0.113.1',
      '198.51.100.7,203.0.113.1,10.1.2.3': '203.0.113.1',
      '198.51.100.7, 10.9.9.9, 203.0.113.1, 10.1.2.3, 2001:db8:ffff::1': '203.0.113.1',
      '127.0.0.1, 203.0.113.1': '203.0.113.1',
      '10.1.2.3, 203.0.113.1': '203.0.113.1',
      '<script>, 203.0.113.1, ::ffff:10.1.2.3': '203.0.113.1',
      '203.0.113.1, ::ffff:a01:203': '203.0.113.1',
      '10.1.2.3': '10.1.2.3',
      '2001:db8::1': '2001:db8::1',
      '203.0.113.1:49152': '203.0.113.1',
      '[2001:db8::1]': '2001:db8::1',
      '[2001:db8::1]:443': '2001:db8::1',
      '[::ffff:203.0.113.1]:443, 10.1.2.3:80,, 127.0.0.1:1 ,': '203.0.113.1',
      'unknown, 203.0.113.1:80': '203.0.113.1',
      '': '127.0.0.1',
      ' , ,': '127.0.0.1',
    }
    for (const [chain, ip] of Object.entries(chains))
      t.equal(await clientAddress(port, { 'x-forwarded-for': chain }), ip, chain)
    for (const name of headerNames.slice(2))
      t.equal(await clientAddress(port, { [name]: 'for=203.0.113.1' }), '127.0.0.1', `${name} is ignored`)

    const forged = (n: number) => `198.51.100.${n}, 203.0.113.1`
    t.same(
      await failRepeatedly(port, 12, forged),
      { 401: 10, 429: 2 },
      'addresses that the client itself sent do not evade the limit',
    )
    t.equal((await attemptLogin(port, 'ann', { from: '203.0.113.1, 203.0.113.2', password })).status, 200)
  })

  t.test('an IPv4-mapped IPv6 address is the IPv4 address, in every notation', async (t) => {
    await reset()
    const forms = ['1.2.3.4', '::ffff:1.2.3.4', '::ffff:102:304', '::FFFF:0102:0304', '0:0:0:0:0:ffff:1.2.3.4']
    for (const form of forms) t.equal(await clientAddress(port, { 'x-forwarded-for': form }), '1.2.3.4', form)
    t.same(await failRepeatedly(port, 15, (n) => forms[n % forms.length] ?? ''), { 401: 10, 429: 5 })
    t.equal(
      (await attemptLogin(port, 'ann', { from: '::ffff:1.2.3.5' })).status,
      401,
      'the next address has its own limit',
    )
  })

  t.test('Forwarded (RFC 7239) names the client in the same way', async (t) => {
    await reset()
    const chains: Record<string, string> = {
      'for=203.0.113.1': '203.0.113.1',
      'FOR="203.0.113.1:49152";proto=http;by=10.0.0.1': '203.0.113.1',
      'proto=https ; host="a,b;for=9.9.9.9" ; for=203.0.113.1': '203.0.113.1',
      'for="[2001:db8::1]:443"': '2001:db8::1',
      'for=[2001:db8::1]:443': '2001:db8::1',
      'for="[2001:db8::1]:_hidden"': '2001:db8::1',
      'for="\\2\\03.0.113.1"': '203.0.113.1',
      'for=198.51.100.7, for=203.0.113.1 , for="[::ffff:10.1.2.3]:80"': '203.0.113.1',
      'for=unknown,for=203.0.113.1': '203.0.113.1',
      ', ,': '127.0.0.1',
    }
    for (const [chain, ip] of Object.entries(chains))
      t.equal(await clientAddress(port, { forwarded: chain }), ip, chain)
  })

  t.test('with both headers the client is the one that both name; otherwise the request is refused', async (t) => {
    await reset()
    const agreed = { 'x-forwarded-for': '198.51.100.7, 2001:DB8:0::1', forwarded: 'for="[2001:db8::1]:1"' }
    t.equal(await clientAddress(port, agreed), '2001:db8::1')
    for (const forwarded of [
      'for=198.51.100.7',
      'for=_hidden',
      'for=203.0.113.1, for=198.51.100.7',
      'for="[::203.0.113.1]"',
    ]) {
      const answer = await ask(port, 'GET', '/v1/posts', { headers: { 'x-forwarded-for': '203.0.113.1', forwarded } })
      expectProblem(t, answer, 'validation', forwarded)
      t.same(pointersOf(answer), ['/headers/forwarded'])
    }
  })

  t.test('a request whose proxy sends no valid address is refused, and the log says so once a minute', async (t) => {
    const list = [
      'unknown',
      '_hidden',
      '<script>',
      '1.2.3',
      '1.2.3.4.5',
      '999.1.1.1',
      '1.2.3.4:',
      '1.2.3.4:x',
      '1.2.3.4:123456',
    ]
    const bracketed = ['[::1', '::1]', '[::1]80', '[1.2.3.4]:80', '[]', '::g', '2001:db8::1:80:80:80:80:80:80:80']
    const others = [
      'null',
      '__proto__',
      '$ne',
      '203.0.113.1, unknown',
      '203.0.113.1 10.0.0.1',
      'x'.repeat(8_000),
      `${'1.1.1.1,'.repeat(500)}?`,
      `${'1.1.1.1,'.repeat(125)}203.0.113.1`,
    ]
    for (const text of [...list, ...bracketed, ...others]) {
      const answer = await ask(port, 'GET', '/v1/posts', { headers: { 'x-forwarded-for': text } })
      expectProblem(t, answer, 'validation', text.slice(0, 30))
      t.same(pointersOf(answer), ['/headers/x-forwarded-for'], text.slice(0, 30))
    }
    const elements = [
      'unknown',
      'for',
      'for=',
      'for=""',
      'for=_hidden',
      'proto=https',
      'for="203.0.113.1',
      'for=203.0.113.1"',
      'for=1.1.1.1;for=2.2.2.2',
    ]
    const injected = [
      'for=6.6.6.6;x=", for=203.0.113.1',
      'for=6.6.6.6;x=", for="203.0.113.1:80"',
      `for=a,${' '.repeat(8_000)}@`,
      `${'for=1.1.1.1,'.repeat(84)}for=203.0.113.1`,
    ]
    for (const forwarded of [...elements, ...injected]) {
      const answer = await ask(port, 'GET', '/v1/posts', { headers: { forwarded } })
      expectProblem(t, answer, 'validation', forwarded.slice(0, 30))
      t.same(pointersOf(answer), ['/headers/forwarded'], forwarded.slice(0, 30))
    }
    const refusals = logOf(server).filter(({ msg }) => /^requests refused: a trusted proxy/.test(String(msg)))
    t.equal(refusals.length, 1)
    t.match(refusals, [{ level: 40, peer: '127.0.0.1', pointer: /^\/headers\/(x-)?forwarded/, refused: 1 }])
    t.notMatch(JSON.stringify(refusals), /unknown|script/, 'it never shows the value')
  })
})
