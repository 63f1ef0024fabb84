import { hash, randomBytes } from 'node:crypto'
import { pino } from 'pino'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { dataCollections } from '../data-collections.ts'
import { password, signUp, testConfig, testServer } from '../helper.ts'
import { type Answer, ask, cookieOf } from '../http/wire.ts'
import { attemptLogin, attemptLogins, countAttempts, countStatuses, expectLimited } from './login-attempts.ts'

const pair = 'failed-logins-by-account-and-address'

/** An answer without what differs in each: ids, times, and the number of requests left. */
function comparable({ status, headers, text }: Answer): string {
  const { date: _, 'x-request-id': id, 'retry-after': seconds, ratelimit = '', ...rest } = headers
  return JSON.stringify([
    status,
    rest,
    text.replaceAll(String(id), '…'),
    seconds && ratelimit.slice(0, -`${seconds}`.length),
  ])
}

t.test('the limit of failed logins by account and address', async (t) => {
  const { port, db } = await testServer(t, { TRUSTED_PROXIES: '127.0.0.1' })
  const sessions = () => db.collection('sessions').countDocuments()
  const credentials = db.collection('credentials')

  t.test('after 10 failed logins no password is checked, not even the right one', async (t) => {
    const cookie = await cookieOf(port, 'Ann')
    t.same(countStatuses(await attemptLogins(port, 'ann', 10)), { 401: 10 })
    const kept = await credentials.findOne({})
    await credentials.updateOne({}, { $unset: { password: '' } })
    t.equal(
      (await attemptLogin(port, 'ann', { from: '203.0.113.9' })).status,
      500,
      'without its stored hash a check fails',
    )
    const before = await sessions()
    for (const options of [{}, { password }, { password: '' }]) {
      expectLimited(t, await attemptLogin(port, 'ann', options), pair, 10)
    }
    await credentials.updateOne({}, { $set: { password: kept?.password } })
    expectLimited(t, await attemptLogin(port, 'ann', { password }), pair, 10)
    t.same(await credentials.findOne({}), kept, 'a refused attempt changes nothing, not even the last login')
    t.equal(await sessions(), before)
    t.equal(await db.collection('devices').countDocuments(), 1)
    t.equal(await countAttempts(db, pair), 10, 'refused attempts are not counted')

    const activity = await ask(port, 'GET', '/v1/account/activity', { headers: { cookie } })
    t.match(activity.body, { items: [{ event: 'login-failed', count: 10 }, { event: 'account-created' }] })
    t.equal(
      (await ask(port, 'GET', '/v1/session', { headers: { cookie } })).status,
      200,
      'the owner’s session stays live',
    )
    t.equal((await ask(port, 'POST', '/v1/posts', { headers: { cookie }, json: { text: 'x' } })).status, 201)
    t.equal((await ask(port, 'POST', '/v1/session/refresh', { headers: { cookie } })).status, 200)
  })

  t.test('attempts count together whatever the case of the username', async (t) => {
    await cookieOf(port, 'Carol')
    for (const name of ['Carol', 'CAROL', 'carol', 'cArOl', 'caroL']) await attemptLogins(port, name, 2)
    for (const name of ['carol', 'CAROL']) expectLimited(t, await attemptLogin(port, name, { password }), pair, 10)
  })

  t.test('other accounts at that address and other addresses of that account are not limited', async (t) => {
    const at = { from: '203.0.113.1' }
    const elsewhere = { from: '198.51.100.2' }
    await cookieOf(port, 'Dave')
    await cookieOf(port, 'Erin')
    await attemptLogins(port, 'dave', 11, at)
    expectLimited(t, await attemptLogin(port, 'dave', { ...at, password }), pair, 10)
    t.equal((await attemptLogin(port, 'erin', { ...at, password })).status, 200)
    t.same(countStatuses(await attemptLogins(port, 'erin', 10, at)), { 401: 10 })
    t.same(countStatuses(await attemptLogins(port, 'dave', 10, elsewhere)), { 401: 10 })
    expectLimited(t, await attemptLogin(port, 'dave', { ...elsewhere, password }), pair, 10)
    t.equal((await attemptLogin(port, 'dave', { from: '192.0.2.3', password })).status, 200)
  })

  t.test('a successful login resets the count of its account and address, and no other', async (t) => {
    const [at, elsewhere] = [{ from: '203.0.113.4' }, { from: '198.51.100.5' }]
    await cookieOf(port, 'Fred')
    await cookieOf(port, 'Gina')
    await Promise.all([attemptLogins(port, 'fred', 9, at), attemptLogins(port, 'fred', 9, elsewhere)])
    await attemptLogins(port, 'gina', 9, at)
    const otherCounts = () =>
      Promise.all(['address', 'account'].map((by) => countAttempts(db, `failed-logins-by-${by}`)))
    const before = await otherCounts()
    t.equal((await attemptLogin(port, 'FRED', { ...at, password })).status, 200)
    t.same(await otherCounts(), before, 'the counts of the account and of the address stay')
    t.same(countStatuses(await attemptLogins(port, 'fred', 12, at)), { 401: 10, 429: 2 }, 'ten more are checked')
    t.same(countStatuses(await attemptLogins(port, 'fred', 3, elsewhere)), { 401: 1, 429: 2 })
    t.same(countStatuses(await attemptLogins(port, 'gina', 3, at)), { 401: 1, 429: 2 })
  })

  t.test('an unknown username is counted and answered exactly as a known one', async (t) => {
    await cookieOf(port, 'Hank')
    const known: string[] = []
    const unknown: string[] = []
    for (let n = 0; n < 12; n += 1) {
      known.push(comparable(await attemptLogin(port, 'hank', { from: '203.0.113.6' })))
      unknown.push(comparable(await attemptLogin(port, 'no_such_account', { from: '203.0.113.7' })))
    }
    t.same(unknown, known)
    t.equal(new Set(known).size, 2, '401 ten times, then 429')
    const at = { from: '203.0.113.8' }
    for (const name of ['no name: \0 \uD800', '', '🌍'.repeat(256), '__proto__']) {
      t.same(countStatuses(await attemptLogins(port, name, 10, at)), { 401: 10 }, JSON.stringify(name.slice(0, 16)))
      expectLimited(t, await attemptLogin(port, name, at), pair, 10)
    }
  })
})

t.test(
  'a typed username is neither stored nor logged, and its counter is keyed: no plain hash of it appears',
  async (t) => {
    const { port, db, lines, connection } = await testServer(t)
    const typed = 'hunter2'
    await attemptLogins(port, typed, 2)
    const everything = await Promise.all((await dataCollections(db)).map((collection) => collection.find().toArray()))
    const text = JSON.stringify(everything) + lines.join()
    t.match(text, /failed-logins-by-account:/, 'the attempts are counted')
    for (const algorithm of ['md5', 'sha1', 'sha256', 'sha384', 'sha512']) {
      for (const form of ['hex', 'base64', 'base64url'] as const) {
        t.notOk(text.includes(hash(algorithm, typed, form).replace(/=+$/, '')), `${algorithm} in ${form}`)
      }
    }
    t.notOk(text.includes(typed), 'not as plain text')

    const THROTTLE_KEY = randomBytes(32).toString('hex')
    const config = await testConfig(connection, { THROTTLE_KEY })
    const other = await buildApp(config, connection, pino({ level: 'silent' }))
    t.teardown(() => other.close())
    const url = await other.listen({ host: '127.0.0.1', port: 0 })
    await attemptLogin(Number(new URL(url).port), typed)
    const counters = await db.collection<{ _id: string }>('attempts').distinct('_id')
    t.equal(
      counters.filter((counter) => counter.startsWith('failed-logins-by-account:')).length,
      2,
      'another key gives another counter',
    )
  },
)

t.test('a server with a new sign key keeps the counts: 11 failed logins are one too many', async (t) => {
  const { url, port, connection } = await testServer(t)
  const { username } = await signUp(url)
  await attemptLogins(port, username, 10)
  // testConfig generates a new sign key.
  const other = await buildApp(await testConfig(connection), connection, pino({ level: 'silent' }))
  t.teardown(() => other.close())
  const otherUrl = await other.listen({ host: '127.0.0.1', port: 0 })
  t.equal((await attemptLogin(Number(new URL(otherUrl).port), username)).status, 429)
})

t.test('failures in a row are kept 400 days for an account, and 7 for a name that no account has', async (t) => {
  const { port, db } = await testServer(t)
  await cookieOf(port, 'ann')
  for (const name of ['ann', 'no_account']) t.equal((await attemptLogin(port, name)).status, 401)
  const found = await db
    .collection<{ _id: string; until: Date }>('attempts')
    .find({ _id: /^failed-logins-in-a-row:/ })
    .toArray()
  const days = found.map(({ until }) => Math.round((until.getTime() - Date.now()) / 86_400_000))
  t.same(
    days.sort((a, b) => a - b),
    [7, 400],
  )
})
