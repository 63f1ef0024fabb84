import t from 'tap'
import { password, testServer } from '../helper.ts'
import { ask, cookieOf, field } from '../http/wire.ts'
import { setCookies } from '../sessions/set-cookies.ts'
import { isLimited, statuses, tryOnce } from './login-attempts.ts'
import { atQuarterHour } from './quarter-hour.ts'

const headerNames = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-client-ip', 'cf-connecting-ip']
const pair = 'failed-logins-by-account-and-address'

/** Where a login came from, as the answer, the list of sessions and the activity have it. */
async function seenFrom(port: number, headers: Record<string, string>) {
  const json = { username: 'ann', password }
  const answer = await ask(port, 'POST', '/v1/session', { json, headers })
  const cookie = `session=${setCookies(answer.headers).session?.value}`
  const first = async (path: string) => {
    const { body } = await ask(port, 'GET', path, { headers: { cookie, ...headers } })
    const items = field(body, 'items')
    return field(Array.isArray(items) ? items[0] : undefined, 'ip')
  }
  const told = field(field(answer.body, 'session'), 'ip')
  const places = new Set([told, await first('/v1/sessions'), await first('/v1/account/activity')])
  return places.size === 1 && answer.status === 200 ? told : [answer.status, ...places]
}

/** So many failed logins of one name, one after the other, each as the function says. */
async function fail(port: number, times: number, from: (n: number) => string) {
  const answers = []
  for (let n = 0; n < times; n += 1) answers.push(await tryOnce(port, 'ann', { from: from(n) }))
  return statuses(answers)
}

for (const TRUSTED_PROXIES of ['', '10.0.0.0/8,::1']) {
  t.test(`who is no proxy of ours is not believed (${TRUSTED_PROXIES || 'none'})`, async (t) => {
    const { port, db } = await testServer(t, { TRUSTED_PROXIES })
    await cookieOf(port, 'Ann')
    for (const name of headerNames) {
      for (const says of ['203.0.113.1', '10.0.0.1']) {
        const value = name === 'forwarded' ? `for="${says}"` : says
        t.equal(await seenFrom(port, { [name]: value }), '127.0.0.1', `${name}: ${value}`)
      }
    }
    t.same(await fail(port, 14, (n) => `203.0.113.${n}`), { 401: 10, 429: 4 }, 'nor can one get around a limit')
    isLimited(t, await tryOnce(port, 'ann', { from: '203.0.113.99', password }), pair, 10)
    const kept = await db.collection<{ _id: string }>('attempts').distinct('_id')
    t.notMatch(kept.join(), /203\.0\.113|10\.0\.0|::1/)
  })
}

t.test('nor does it get around the limit of changes', async (t) => {
  atQuarterHour(t)
  const { port } = await testServer(t, { LIMIT_WRITES_PER_ADDRESS: '3' })
  const cookie = await cookieOf(port, 'Ann')
  const write = (n: number) =>
    ask(port, 'PATCH', '/v1/account', { json: {}, headers: { cookie, 'x-forwarded-for': `203.0.113.${n}` } })
  for (const n of [1, 2, 3]) t.equal((await write(n)).status, 400)
  t.match((await write(4)).headers, { 'ratelimit-policy': '"writes-by-address";q=3;w=900' })
})

t.test('behind proxies that are trusted', async (t) => {
  const { port, db } = await testServer(t, { TRUSTED_PROXIES: '127.0.0.1,10.0.0.0/8,2001:db8:ffff::/48' })
  await cookieOf(port, 'Ann')
  const forget = () => db.collection('attempts').deleteMany({})

  t.test('the last address that is none of theirs counts', async (t) => {
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
      t.equal(await seenFrom(port, { 'x-forwarded-for': chain }), ip, chain)
    for (const name of headerNames.slice(1))
      t.equal(await seenFrom(port, { [name]: 'for=203.0.113.1' }), '127.0.0.1', `${name} is no header of ours`)

    const forged = (n: number) => `198.51.100.${n}, 203.0.113.1`
    t.same(await fail(port, 12, forged), { 401: 10, 429: 2 }, 'what the client put before changes nothing')
    t.equal((await tryOnce(port, 'ann', { from: '203.0.113.1, 203.0.113.2', password })).status, 200)
  })

  t.test('an IPv4 address is one, however IPv6 writes it', async (t) => {
    await forget()
    const forms = ['1.2.3.4', '::ffff:1.2.3.4', '::ffff:102:304', '::FFFF:0102:0304', '0:0:0:0:0:ffff:1.2.3.4']
    for (const form of forms) t.equal(await seenFrom(port, { 'x-forwarded-for': form }), '1.2.3.4', form)
    t.same(await fail(port, 15, (n) => forms[n % forms.length] ?? ''), { 401: 10, 429: 5 })
    t.equal((await tryOnce(port, 'ann', { from: '::ffff:1.2.3.5' })).status, 401, 'its neighbour is another')
  })

  t.test('garbage from a proxy does no harm: the proxy itself is counted', async (t) => {
    await forget()
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
      t.equal(await seenFrom(port, { 'x-forwarded-for': text }), '127.0.0.1', text.slice(0, 30))
    t.same(await fail(port, 24, (n) => garbage[n % garbage.length] ?? ''), { 401: 10, 429: 14 })
  })
})
