import { setTimeout as sleep } from 'node:timers/promises'
import { UUID } from 'mongodb'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { makeClient, password, signUp } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'
import { setCookies } from '../sessions/set-cookies.ts'

const newPassword = 'seven grey owls knit at 5 again'

t.test('changing a password', async (t) => {
  const { url, urls, db } = await twoServers(t)
  type Client = ReturnType<typeof makeClient>
  const change = (client: Client, json: object = { currentPassword: password, newPassword }) =>
    client.put<{ code?: string; errors?: { pointer: string }[] }>('v1/account/password', { json })
  const logIn = async (username: string, presented = password, server = url) => {
    const client = makeClient(server)
    const { statusCode } = await client.post('v1/session', { json: { username, password: presented } })
    return { client, statusCode }
  }
  const status = async (client: Client) => (await client.get('v1/session')).statusCode

  t.test('a change ends every session of the account and issues a new one to this client', async (t) => {
    const { client, username } = await signUp(url)
    const other = await logIn(username)
    const elsewhere = await logIn(username, password, urls[1])
    const before = await client.jar.getCookieString(url)
    const { statusCode, headers, body } = await change(client)
    t.equal(statusCode, 204)
    t.same(body, '')
    t.same(Object.keys(setCookies(headers)).sort(), ['device', 'refresh', 'session'], 'all cookies')
    t.equal(await status(client), 200)
    t.equal((await client.post('v1/session/refresh')).statusCode, 200)
    t.equal(await status(other.client), 401)
    t.equal(
      (await makeClient(url).get('v1/session', { headers: { cookie: before } })).statusCode,
      401,
      'the session before the change',
    )
    await sleep(1_000)
    t.equal(await status(elsewhere.client), 401, 'within a second on every other server')
    t.equal((await elsewhere.client.post('v1/session/refresh')).statusCode, 401)
    t.equal((await logIn(username)).statusCode, 401, 'the old password is refused')
    t.equal((await logIn(username, newPassword, urls[1])).statusCode, 200)
  })

  t.test('a wrong current password gets 401 and changes nothing; the tenth ends this session only', async (t) => {
    const { client, username } = await signUp(url)
    const other = await logIn(username)
    for (let wrong = 0; wrong < 9; wrong += 1) {
      const { statusCode, headers, body } = await change(client, { currentPassword: `wrong ${wrong}`, newPassword })
      t.equal(statusCode, 401)
      t.equal(body.code, 'invalid-credentials')
      t.equal(headers['set-cookie'], undefined)
    }
    t.equal(await status(client), 200)
    t.equal((await change(client, { currentPassword: 'wrong', newPassword })).statusCode, 401)
    t.equal(await status(client), 401)
    t.equal(await status(other.client), 200, 'the other session is live')
    t.equal((await logIn(username)).statusCode, 200)
  })

  t.test('wrong passwords at confirm and at change count together', async (t) => {
    const { client } = await signUp(url)
    for (let wrong = 0; wrong < 5; wrong += 1) {
      await client.post('v1/session/confirm', { json: { password: 'wrong' } })
      await change(client, { currentPassword: 'wrong', newPassword })
    }
    t.equal(await status(client), 401)
  })

  t.test('a new password is judged only after the current one was right, and then uses no attempt', async (t) => {
    const { client, username } = await signUp(url)
    const tried = { failures: { $gt: 0 } }
    for (const bad of ['short', 'x'.repeat(257), '\uD800'.repeat(20), 7]) {
      const { statusCode, body } = await change(client, { currentPassword: 'wrong', newPassword: bad })
      t.equal(statusCode, 400, 'its form is checked before')
      t.match(body, { code: 'validation', errors: [{ pointer: '/body/newPassword' }] })
    }
    const weak = ['passwordpassword', `${username} and more`, 'xkxkxkxkxkxkxkxkxk']
    for (const newPassword of weak) {
      const { statusCode, body } = await change(client, { currentPassword: password, newPassword })
      t.equal(statusCode, 400)
      t.match(body, { code: 'validation', errors: [{ pointer: '/body/newPassword' }] })
    }
    t.equal((await change(client, { newPassword })).statusCode, 400)
    t.equal((await change(client, { currentPassword: password, newPassword, other: 1 })).statusCode, 400)
    t.equal(await db.collection('sessions').countDocuments(tried), 0, 'no attempt was used')
    for (const newPassword of weak) {
      t.equal((await change(client, { currentPassword: 'wrong', newPassword })).statusCode, 401)
    }
    t.equal(await db.collection('sessions').countDocuments({ failures: weak.length }), 1)
    t.equal((await change(client)).statusCode, 204)
  })

  t.test('a change without a session gets 401', async (t) => {
    const { statusCode, body } = await change(makeClient(url))
    t.equal(statusCode, 401)
    t.equal(body.code, 'unauthenticated')
  })

  t.test('of two concurrent changes from two sessions, one gets 204 and the other 401', async (t) => {
    for (let round = 0; round < 3; round += 1) {
      const { client, username } = await signUp(url)
      const { client: other } = await logIn(username, password, urls[1])
      const candidates = ['seven grey owls knit at 5 again', 'nine pale moths sew at 3 daily']
      const [first, second] = await Promise.all([
        change(client, { currentPassword: password, newPassword: candidates[0] }),
        change(other, { currentPassword: password, newPassword: candidates[1] }),
      ])
      t.same([first.statusCode, second.statusCode].sort(), [204, 401])
      const logins = await Promise.all(
        candidates.map(async (candidate) => (await logIn(username, candidate)).statusCode),
      )
      t.same(logins, first.statusCode === 204 ? [200, 401] : [401, 200])
    }
  })

  t.test('sessions of logins with the old password during a change end within a second', async (t) => {
    for (let round = 0; round < 3; round += 1) {
      const { client, username } = await signUp(url)
      const logins = Array.from({ length: 8 }, (_, n) => logIn(username, password, urls[n % 2]))
      const changed = change(client)
      const all = await Promise.all(logins)
      t.equal((await changed).statusCode, 204)
      await sleep(1_000)
      for (const { client, statusCode } of all) {
        t.ok(statusCode === 200 || statusCode === 401, `${statusCode}`)
        t.equal(await status(client), 401)
        t.equal((await client.post('v1/session/refresh')).statusCode, 401)
      }
      t.equal(await status(client), 200)
      const account = new UUID((await client.get<{ id: string }>('v1/account')).body.id)
      t.equal(await db.collection('sessions').countDocuments({ account }), 1)
    }
  })
})

t.test('a session that ends while its new password is hashed gets 401 and is not revived', async (t) => {
  const { url, urls, db } = await twoServers(t, { BCRYPT_COST: '11' })
  const sessions = db.collection('sessions')
  const { client } = await signUp(url)
  const cookie = await client.jar.getCookieString(url)
  const changed = client.put('v1/account/password', { json: { currentPassword: password, newPassword } })
  await eventually(async () => (await sessions.countDocuments({ 'checking.0': { $exists: true } })) > 0, { everyMs: 5 })
  t.equal((await makeClient(urls[1]).delete('v1/session', { headers: { cookie } })).statusCode, 204)
  t.equal((await changed).statusCode, 401)
  t.equal(await sessions.countDocuments(), 0)
})

t.test('a rehash at a login concurrent with a change does not restore the old password', async (t) => {
  const { url, urls, db } = await twoServers(t, { BCRYPT_COST: '5' })
  const credentials = db.collection<{ _id: UUID; password: { bcrypt: string } }>('credentials')
  const { hashPassword } = await import('../../src/credentials/hashing.ts')
  for (let round = 0; round < 3; round += 1) {
    const { client, username } = await signUp(url)
    const { id } = (await client.get<{ id: string }>('v1/account')).body
    const outdated = await hashPassword(password, id, { cost: 4, peppers: [] })
    await credentials.updateOne({ _id: new UUID(id) }, { $set: { password: outdated } })
    const json = { username, password }
    const logins = urls.map((server) => makeClient(server).post('v1/session', { json }))
    const changed = client.put('v1/account/password', { json: { currentPassword: password, newPassword } })
    await Promise.all([...logins, changed])
    t.equal((await changed).statusCode, 204)
    t.equal((await makeClient(url).post('v1/session', { json })).statusCode, 401)
    t.equal((await makeClient(url).post('v1/session', { json: { username, password: newPassword } })).statusCode, 200)
  }
})
