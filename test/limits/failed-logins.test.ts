import { hash } from 'node:crypto'
import { pino } from 'pino'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { password, testConfig, testServer } from '../helper.ts'
import { type Answer, ask, cookieOf } from '../http/wire.ts'
import { counted, isLimited, statuses, tryOften, tryOnce } from './login-attempts.ts'

const pair = 'failed-logins-by-account-and-address'

/** What an answer says, without what is new in each: ids and times, and how many requests are left. */
function said({ status, headers, text }: Answer): string {
  const { date: _, 'x-request-id': id, 'retry-after': seconds, ratelimit = '', ...rest } = headers
  return JSON.stringify([
    status,
    rest,
    text.replaceAll(String(id), '…'),
    seconds && ratelimit.slice(0, -`${seconds}`.length),
  ])
}

t.test('failed logins of one account from one address', async (t) => {
  const { port, db } = await testServer(t, { TRUSTED_PROXIES: '127.0.0.1' })
  const sessions = () => db.collection('sessions').countDocuments()
  const credentials = db.collection('credentials')

  t.test('ten; then no password is looked at, the right one neither', async (t) => {
    const cookie = await cookieOf(port, 'Ann')
    t.same(statuses(await tryOften(port, 'ann', 10)), { 401: 10 })
    const kept = await credentials.findOne({})
    await credentials.updateOne({}, { $unset: { password: '' } })
    t.equal((await tryOnce(port, 'ann', { from: '203.0.113.9' })).status, 500, 'who looked at the hash would fail')
    const before = await sessions()
    for (const wish of [{}, { password }, { password: '' }]) isLimited(t, await tryOnce(port, 'ann', wish), pair, 10)
    await credentials.updateOne({}, { $set: { password: kept?.password } })
    isLimited(t, await tryOnce(port, 'ann', { password }), pair, 10)
    t.same(await credentials.findOne({}), kept, 'nor is anything noted: not the last login')
    t.equal(await sessions(), before)
    t.equal(await db.collection('devices').countDocuments(), 1)
    t.equal(await counted(db, pair), 10, 'what was refused is not counted')

    const activity = await ask(port, 'GET', '/v1/account/activity', { headers: { cookie } })
    t.match(activity.body, { items: [{ event: 'login-failed', count: 10 }, { event: 'account-created' }] })
    t.equal((await ask(port, 'GET', '/v1/session', { headers: { cookie } })).status, 200, 'her session lives on')
    t.equal((await ask(port, 'POST', '/v1/posts', { headers: { cookie }, json: { text: 'x' } })).status, 201)
    t.equal((await ask(port, 'POST', '/v1/session/refresh', { headers: { cookie } })).status, 200)
  })

  t.test('whatever the case of the name', async (t) => {
    await cookieOf(port, 'Carol')
    for (const name of ['Carol', 'CAROL', 'carol', 'cArOl', 'caroL']) await tryOften(port, name, 2)
    for (const name of ['carol', 'CAROL']) isLimited(t, await tryOnce(port, name, { password }), pair, 10)
  })

  t.test('other accounts from there and the account from elsewhere are untouched', async (t) => {
    const at = { from: '203.0.113.1' }
    const elsewhere = { from: '203.0.113.2' }
    await cookieOf(port, 'Dave')
    await cookieOf(port, 'Erin')
    await tryOften(port, 'dave', 11, at)
    isLimited(t, await tryOnce(port, 'dave', { ...at, password }), pair, 10)
    t.equal((await tryOnce(port, 'erin', { ...at, password })).status, 200)
    t.same(statuses(await tryOften(port, 'erin', 10, at)), { 401: 10 })
    t.same(statuses(await tryOften(port, 'dave', 10, elsewhere)), { 401: 10 })
    isLimited(t, await tryOnce(port, 'dave', { ...elsewhere, password }), pair, 10)
    t.equal((await tryOnce(port, 'dave', { from: '203.0.113.3', password })).status, 200)
  })

  t.test('a success clears the pair’s, and nobody else’s', async (t) => {
    const [at, elsewhere] = [{ from: '203.0.113.4' }, { from: '203.0.113.5' }]
    await cookieOf(port, 'Fred')
    await cookieOf(port, 'Gina')
    await Promise.all([tryOften(port, 'fred', 9, at), tryOften(port, 'fred', 9, elsewhere)])
    await tryOften(port, 'gina', 9, at)
    const beside = () => Promise.all(['address', 'account'].map((by) => counted(db, `failed-logins-by-${by}`)))
    const before = await beside()
    t.equal((await tryOnce(port, 'FRED', { ...at, password })).status, 200)
    t.same(await beside(), before, 'those of the account and of the address stay')
    t.same(statuses(await tryOften(port, 'fred', 12, at)), { 401: 10, 429: 2 }, 'all ten again')
    t.same(statuses(await tryOften(port, 'fred', 3, elsewhere)), { 401: 1, 429: 2 })
    t.same(statuses(await tryOften(port, 'gina', 3, at)), { 401: 1, 429: 2 })
  })

  t.test('a name that nobody has counts and answers the same, step by step', async (t) => {
    await cookieOf(port, 'Hank')
    const real: string[] = []
    const unreal: string[] = []
    for (let n = 0; n < 12; n += 1) {
      real.push(said(await tryOnce(port, 'hank', { from: '203.0.113.6' })))
      unreal.push(said(await tryOnce(port, 'nobody_here', { from: '203.0.113.7' })))
    }
    t.same(unreal, real)
    t.equal(new Set(real).size, 2, '401 ten times, then 429')
    const at = { from: '203.0.113.8' }
    for (const name of ['no name: \0 \uD800', '', '🌍'.repeat(256), '__proto__']) {
      t.same(statuses(await tryOften(port, name, 10, at)), { 401: 10 }, JSON.stringify(name.slice(0, 16)))
      isLimited(t, await tryOnce(port, name, at), pair, 10)
    }
  })
})

t.test('of what was typed as a name nothing can be read, and nothing be guessed', async (t) => {
  const { port, db, lines, connection } = await testServer(t)
  const typed = 'hunter2'
  await tryOften(port, typed, 2)
  const everything = await Promise.all((await db.collections()).map((collection) => collection.find().toArray()))
  const text = JSON.stringify(everything) + lines.join()
  t.match(text, /failed-logins-by-account:/, 'it is counted by something')
  for (const algorithm of ['md5', 'sha1', 'sha256', 'sha384', 'sha512']) {
    for (const form of ['hex', 'base64', 'base64url'] as const) {
      t.notOk(text.includes(hash(algorithm, typed, form).replace(/=+$/, '')), `${algorithm} in ${form}`)
    }
  }
  t.notOk(text.includes(typed), 'not as it is')

  const other = await buildApp(await testConfig(connection), connection, pino({ level: 'silent' }))
  t.teardown(() => other.close())
  const url = await other.listen({ host: '127.0.0.1', port: 0 })
  await tryOnce(Number(new URL(url).port), typed)
  const counters = await db.collection<{ _id: string }>('attempts').distinct('_id')
  t.equal(counters.filter((counter) => counter.startsWith('failed-logins-by-account:')).length, 2, 'keyed: another key')
})
