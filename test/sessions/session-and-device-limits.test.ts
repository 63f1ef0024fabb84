import { randomBytes } from 'node:crypto'
import { Binary, UUID } from 'mongodb'
import t from 'tap'
import { v7 } from 'uuid'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { setCookies } from './set-cookies.ts'

type LoggedIn = { account: { id: string }; session: { id: string } }

t.test('limits of sessions and devices', async (t) => {
  const { url, db } = await testServer(t)
  const logIn = (username: string, device?: string) =>
    makeClient(url).post<LoggedIn>('v1/session', {
      json: { username, password },
      ...(device !== undefined && { headers: { cookie: `device=${device}` } }),
    })
  const deviceOf = ({ headers }: Awaited<ReturnType<typeof logIn>>) => setCookies(headers).device?.value ?? ''
  const devicesOf = (account: string) => db.collection('devices').countDocuments({ account: new UUID(account) })

  t.test('an account has at most 50 sessions: the 51st login ends the oldest', async (t) => {
    const { username, client } = await signUp(url)
    const second = makeClient(url)
    await second.post('v1/session', { json: { username, password } })
    for (let n = 0; n < 48; n += 1) await logIn(username)
    t.equal((await client.get('v1/session')).statusCode, 200, 'with 50 sessions the first is live')
    await logIn(username)
    t.equal((await client.get('v1/session')).statusCode, 401, 'with 51 it has ended')
    t.equal((await client.post('v1/session/refresh')).statusCode, 401)
    t.equal((await second.get('v1/session')).statusCode, 200, 'the second is live')
    const { body } = await second.get<{ items: object[] }>('v1/sessions?limit=100')
    t.equal(body.items.length, 50)
  })

  t.test(
    'a login stays logged in although 50 sessions and 20 devices are of a time when the clock was ahead',
    async (t) => {
      const { username } = await signUp(url)
      const { body } = await logIn(username)
      const account = new UUID(body.account.id)
      const ahead = Date.now() + 3 * 86_400_000
      const [session] = await db.collection('sessions').find({ account }).toArray()
      const sessions = Array.from({ length: 50 }, (_, n) => {
        return { ...session, _id: new UUID(v7({ msecs: ahead + n })), family: new Binary(randomBytes(32)) }
      })
      await db.collection<{ _id: UUID }>('sessions').insertMany(sessions)
      const lastUsedAt = new Date(ahead)
      const devices = Array.from({ length: 20 }, () => ({
        _id: { account, device: randomBytes(32) },
        account,
        lastUsedAt,
      }))
      await db.collection<(typeof devices)[number]>('devices').insertMany(devices)
      const client = makeClient(url)
      const response = await client.post<LoggedIn>('v1/session', { json: { username, password } })
      t.equal((await client.get('v1/session')).statusCode, 200)
      t.equal(await db.collection('sessions').countDocuments({ account }), 50)
      t.equal(deviceOf(await logIn(username, deviceOf(response))), deviceOf(response), 'and its device is known')
      t.equal(await devicesOf(body.account.id), 20)
    },
  )

  t.test('a known device keeps its cookie, for each account separately; an invented value is replaced', async (t) => {
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
    for (const unknown of ['', 'invented', 'x'.repeat(43)]) {
      const issued = deviceOf(await logIn(username, unknown))
      t.not(issued, unknown, 'an invented value is not adopted')
      t.equal(Buffer.from(issued, 'base64url').length, 32)
    }
    const other = await signUp(url)
    t.not(deviceOf(await logIn(other.username, device)), device, 'unknown to another account')
  })

  t.test('an account has at most 20 known devices: the least recently used one is deleted', async (t) => {
    const { username } = await signUp(url)
    const first = await logIn(username)
    const account = first.body.account.id
    const used = deviceOf(first)
    const unused = deviceOf(await logIn(username))
    for (let n = 0; n < 17; n += 1) await logIn(username)
    t.equal(await devicesOf(account), 20, 'including the device of the sign-up')
    t.equal(deviceOf(await logIn(username, used)), used)
    await logIn(username)
    await logIn(username)
    t.equal(await devicesOf(account), 20)
    t.equal(deviceOf(await logIn(username, used)), used, 'recently used')
    t.not(deviceOf(await logIn(username, unused)), unused)
  })

  t.test('8 concurrent logins, of which one has room for its device, leave 20 devices', async (t) => {
    const { username } = await signUp(url)
    const { body } = await logIn(username)
    for (let n = 0; n < 17; n += 1) await logIn(username)
    t.equal(await devicesOf(body.account.id), 19)
    const answers = await Promise.all(Array.from({ length: 8 }, () => logIn(username)))
    t.same(new Set(answers.map(({ statusCode }) => statusCode)), new Set([200]))
    t.equal(await devicesOf(body.account.id), 20)
  })

  t.test('neither a failed login nor a refresh sets a device cookie', async (t) => {
    const { username, client } = await signUp(url)
    const failed = await makeClient(url).post('v1/session', { json: { username, password: 'wrong' } })
    t.equal(failed.headers['set-cookie'], undefined)
    const { headers } = await client.post('v1/session/refresh')
    t.same(Object.keys(setCookies(headers)).sort(), ['refresh', 'session'])
  })

  t.test('a unique index prevents two sessions with the same family', async (t) => {
    const found = await db.collection<{ _id: UUID; family: Binary }>('sessions').findOne({})
    t.ok(found?.family instanceof Binary)
    await t.rejects(db.collection<{ _id: UUID }>('sessions').insertOne({ ...found, _id: new UUID() }), { code: 11000 })
  })
})
