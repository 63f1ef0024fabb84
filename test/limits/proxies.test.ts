import t from 'tap'
import { password, testServer } from '../helper.ts'
import { ask, cookieOf, field } from '../http/wire.ts'
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

for (const TRUSTED_PROXIES of ['', '10.0.0.0/8,::1']) {
  t.test(`forwarding headers of an untrusted peer are ignored (trusted: ${TRUSTED_PROXIES || 'none'})`, async (t) => {
    const { port, db } = await testServer(t, { TRUSTED_PROXIES })
    await cookieOf(port, 'Ann')
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
  const { port, db } = await testServer(t, { TRUSTED_PROXIES: '127.0.0.1,10.0.0.0/8,2001:db8:ffff::/48' })
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
    }
    for (const [chain, ip] of Object.entries(chains))
      t.equal(await clientAddress(port, { 'x-forwarded-for': chain }), ip, chain)
    for (const name of headerNames.slice(1))
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

  t.test('if a proxy sends no valid address, its own address counts', async (t) => {
    await reset()
    const garbage = [
      '',
      ' ',
      ',',
      ', ,',
      'unknown',
      '_hidden',
      '<script>',
      '1.2.3',
      '1.2.3.4.5',
      '999.1.1.1',
      '1.2.3.4:5678',
      '[::1]',
      '[2001:db8::1]:80',
      '::g',
      'null',
      '__proto__',
      '$ne',
      '203.0.113.1, unknown',
      `${'x'.repeat(8_000)}`,
      `${'1.1.1.1,'.repeat(500)}?`,
    ]
    for (const text of garbage)
      t.equal(await clientAddress(port, { 'x-forwarded-for': text }), '127.0.0.1', text.slice(0, 30))
    t.same(await failRepeatedly(port, 24, (n) => garbage[n % garbage.length] ?? ''), { 401: 10, 429: 14 })
  })
})
