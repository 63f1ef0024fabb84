import { Binary, UUID } from 'mongodb'
import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { setCookies } from './set-cookies.ts'

type LoggedIn = { account: { id: string }; session: { id: string } }

t.test('how many sessions and devices an account has', async (t) => {
  const { url, db } = await testServer(t)
  const logIn = (username: string, device?: string) =>
    makeClient(url).post<LoggedIn>('v1/session', {
      json: { username, password },
      ...(device !== undefined && { headers: { cookie: `device=${device}` } }),
    })
  const deviceOf = ({ headers }: Awaited<ReturnType<typeof logIn>>) => setCookies(headers).device?.value ?? ''
  const devicesOf = (account: string) => db.collection('devices').countDocuments({ account: new UUID(account) })

  t.test('50 sessions, then the oldest ends', async (t) => {
    const { username, client } = await signUp(url)
    const second = makeClient(url)
    await second.post('v1/session', { json: { username, password } })
    for (let more = 0; more < 48; more += 1) await logIn(username)
    t.equal((await client.get('v1/session')).statusCode, 200, 'with 50 the first one lives')
    await logIn(username)
    t.equal((await client.get('v1/session')).statusCode, 401, 'with 51 it has ended')
    t.equal((await client.post('v1/session/refresh')).statusCode, 401)
    t.equal((await second.get('v1/session')).statusCode, 200, 'and only it')
    const { body } = await second.get<{ items: object[] }>('v1/sessions?limit=100')
    t.equal(body.items.length, 50)
  })

  t.test('a known device is known again and keeps its cookie, for each account by itself', async (t) => {
    const { username } = await signUp(url)
    const first = await logIn(username)
    const account = first.body.account.id
    const device = deviceOf(first)
    t.equal(Buffer.from(device, 'base64url').length, 32)
    const before = await devicesOf(account)
    const again = await logIn(username, device)
    t.equal(deviceOf(again), device)
    t.same(setCookies(again.headers).device?.attributes, ['HttpOnly', 'Max-Age=34560000', 'Path=/', 'SameSite=Strict'])
    t.equal(await devicesOf(account), before)
    for (const unknown of ['', 'planted', 'x'.repeat(43)]) {
      const given = deviceOf(await logIn(username, unknown))
      t.not(given, unknown, 'a value that somebody made up is never taken on')
      t.equal(Buffer.from(given, 'base64url').length, 32)
    }
    const other = await signUp(url)
    t.not(deviceOf(await logIn(other.username, device)), device, 'another account does not know it')
  })

  t.test('20 devices an account, then the one that was not used for longest is forgotten', async (t) => {
    const { username } = await signUp(url)
    const first = await logIn(username)
    const account = first.body.account.id
    const kept = deviceOf(first)
    const forgotten = deviceOf(await logIn(username))
    for (let more = 0; more < 17; more += 1) await logIn(username)
    t.equal(await devicesOf(account), 20, 'with the one of the sign-up')
    t.equal(deviceOf(await logIn(username, kept)), kept)
    await logIn(username)
    await logIn(username)
    t.equal(await devicesOf(account), 20)
    t.equal(deviceOf(await logIn(username, kept)), kept, 'used lately')
    t.not(deviceOf(await logIn(username, forgotten)), forgotten)
  })

  t.test('neither a failed login nor a refresh gives a device', async (t) => {
    const { username, client } = await signUp(url)
    const failed = await makeClient(url).post('v1/session', { json: { username, password: 'wrong' } })
    t.equal(failed.headers['set-cookie'], undefined)
    const { headers } = await client.post('v1/session/refresh')
    t.same(Object.keys(setCookies(headers)).sort(), ['refresh', 'session'])
  })

  t.test('two sessions of one family are refused by the database itself', async (t) => {
    const found = await db.collection<{ _id: UUID; family: Binary }>('sessions').findOne({})
    t.ok(found?.family instanceof Binary)
    await t.rejects(db.collection<{ _id: UUID }>('sessions').insertOne({ ...found, _id: new UUID() }), { code: 11000 })
  })
})
