import { setTimeout as sleep } from 'node:timers/promises'
import { UUID } from 'mongodb'
import t from 'tap'
import { v7 } from 'uuid'
import { eventually } from '../eventually.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'
import { carried, setCookies } from '../sessions/set-cookies.ts'

type Item = { at: string; event: string; ip: string; userAgent: string; count?: number }
type Page = { items: Item[]; nextCursor: string | null; lastLoginAt: string; lastRequestAt: string }

const dayMs = 86_400_000

t.test('the activity of an account', async (t) => {
  const { url, db } = await testServer(t)
  const activity = db.collection<{ _id: UUID; account: UUID; event: string; at: Date }>('activity')
  type Client = ReturnType<typeof makeClient>
  const read = async (client: Client, query = '') => (await client.get<Page>(`v1/account/activity${query}`)).body
  const events = async (client: Client) => (await read(client)).items.map(({ event }) => event)
  const logIn = async (username: string, presented = password) => {
    const client = makeClient(url)
    const { headers } = await client.post('v1/session', {
      json: { username, password: presented },
      headers: { 'user-agent': 'owl/1.0' },
    })
    return { client, cookies: setCookies(headers) }
  }
  const accountOf = async (client: Client) => new UUID((await client.get<{ id: string }>('v1/account')).body.id)

  t.test('every event is listed as soon as the request that caused it is answered', async (t) => {
    const { client, username } = await signUp(url)
    t.same(await events(client), ['account-created'])
    await logIn(username, 'a wrong one')
    t.same(await events(client), ['login-failed', 'account-created'])
    const first = await logIn(username)
    t.same((await events(client))[0], 'login')
    await first.client.delete('v1/session')
    t.same((await events(client))[0], 'logout')
    const second = await logIn(username)
    await makeClient(url).delete('v1/session', { headers: carried(second.cookies, 'refresh') })
    t.same((await events(client)).slice(0, 2), ['logout', 'login'], 'a logout by the refresh cookie')
    await client.post('v1/session/confirm', { json: { password } })
    t.same((await events(client))[0], 'session-confirmed')
    await client.delete('v1/sessions')
    t.same((await events(client))[0], 'session-confirmed', 'no event if no other session ended')
    const third = await logIn(username)
    await client.delete('v1/sessions')
    t.same((await events(client)).slice(0, 2), ['session-revoked', 'login'])
    t.equal((await third.client.get('v1/session')).statusCode, 401)
    const newPassword = 'seven grey owls knit at 5 again'
    await client.put('v1/account/password', { json: { currentPassword: password, newPassword } })
    t.same((await events(client))[0], 'password-changed')
    const again = await logIn(username, newPassword)
    await makeClient(url).post('v1/session/refresh', { headers: carried(again.cookies, 'refresh') })
    await db.collection('sessions').updateMany({}, { $set: { refreshedAt: new Date(Date.now() - dayMs) } })
    await makeClient(url).post('v1/session/refresh', { headers: carried(again.cookies, 'refresh') })
    t.same((await events(client))[0], 'refresh-reused')
  })

  t.test('an item has time, event, address and user agent; the page has the last login and request', async (t) => {
    const before = Date.now()
    const { client, username } = await signUp(url)
    await logIn(username)
    const { items, lastLoginAt, lastRequestAt } = await read(client)
    const [login, created] = items
    t.match(login, { event: 'login', ip: '127.0.0.1', userAgent: 'owl/1.0' })
    t.ok(Date.parse(login?.at ?? '') >= before && Date.parse(login?.at ?? '') <= Date.now())
    t.ok(Math.abs(Date.parse(lastLoginAt) - Date.parse(login?.at ?? '')) < 5_000)
    t.ok(Date.now() - Date.parse(lastRequestAt) < 60_000 && Date.parse(lastRequestAt) <= Date.now())
    t.same(Object.keys(created ?? {}).sort(), ['at', 'event', 'ip', 'userAgent'])
    const fresh = await signUp(url)
    t.ok(Date.parse((await read(fresh.client)).lastLoginAt) >= before, 'a sign-up counts as a login')
  })

  t.test('failed logins from one address within an hour are one item with a count', async (t) => {
    const { client, username } = await signUp(url)
    const own = await accountOf(client)
    await Promise.all(Array.from({ length: 6 }, () => logIn(username, 'a wrong one')))
    t.match((await read(client)).items, [{ event: 'login-failed', count: 6 }, { event: 'account-created' }])
    await activity.updateOne(
      { account: own, event: 'login-failed' },
      { $set: { at: new Date(Date.now() - 3_590_000) } },
    )
    await logIn(username, 'a wrong one')
    t.match((await read(client)).items, [{ event: 'login-failed', count: 7 }, { event: 'account-created' }])
    const past = { at: new Date(Date.now() - 3_610_000), hour: 0 }
    await activity.updateOne({ account: own, event: 'login-failed' }, { $set: past })
    await logIn(username, 'a wrong one')
    t.match((await read(client)).items, [
      { event: 'login-failed', count: 1 },
      { count: 7 },
      { event: 'account-created' },
    ])
  })

  t.test('at most 800 events and 200 failed logins are kept: failed logins evict no other event', async (t) => {
    const { client, username } = await signUp(url)
    const own = await accountOf(client)
    const now = Date.now()
    const seed = (event: string, count: number) =>
      activity.insertMany(
        Array.from({ length: count }, (_, n) => {
          const at = new Date(now - dayMs + n)
          return { _id: new UUID(v7({ msecs: at.getTime() })), account: own, event, ip: '', userAgent: '', at }
        }),
      )
    await seed('login', 1_200)
    await seed('login-failed', 300)
    const counts = async () => [
      await activity.countDocuments({ account: own, event: { $ne: 'login-failed' } }),
      await activity.countDocuments({ account: own, event: 'login-failed' }),
    ]
    await logIn(username, 'a wrong one')
    t.same(await counts(), [1_201, 200], 'a failed login evicts failed logins only')
    await logIn(username)
    t.same(await counts(), [800, 200])
    const seen: Item[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Page = await read(client, `?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
      seen.push(...page.items)
      cursor = page.nextCursor
    }
    t.equal(seen.length, 1_000)
    t.same(
      seen.map(({ at }) => at),
      seen
        .map(({ at }) => at)
        .sort()
        .reverse(),
      'newest first',
    )
  })

  t.test('items older than 90 days are not listed, even before the TTL index deletes them', async (t) => {
    const { client } = await signUp(url)
    const own = await accountOf(client)
    const at = new Date(Date.now() - 91 * dayMs)
    await activity.insertOne({ _id: new UUID(v7({ msecs: at.getTime() })), account: own, event: 'login', at })
    t.same(await events(client), ['account-created'])
    const ttl = (await activity.indexes()).find(({ key }) => 'at' in key)
    t.match(ttl, { key: { at: 1 }, expireAfterSeconds: 90 * 86_400 })
  })

  t.test('an account reads its own activity only, with a session', async (t) => {
    const ann = await signUp(url)
    const bob = await signUp(url)
    await logIn(ann.username, 'a wrong one')
    t.same(await events(bob.client), ['account-created'])
    t.equal((await makeClient(url).get('v1/account/activity')).statusCode, 401)
    await logIn('unknown_name', 'a wrong one')
    t.same(await events(bob.client), ['account-created'])
  })
})

t.test('two servers write a session’s lastSeenAt at most once a minute', async (t) => {
  const { url, urls, db } = await twoServers(t)
  const { client } = await signUp(url)
  const lastSeen = db.collection<{ at: Date }>('lastSeen')
  const past = new Date(Date.now() - 61_000)
  await client.get('v1/account')
  await eventually(async () => (await lastSeen.countDocuments()) === 1)
  await lastSeen.updateOne({}, { $set: { at: past } })
  const cookie = await client.jar.getCookieString(url)
  const ask = (server: string) => makeClient(server).get('v1/account', { headers: { cookie } })
  const seenAt = async () => (await lastSeen.findOne({}))?.at.getTime() ?? 0
  await Promise.all(Array.from({ length: 10 }, () => ask(urls[1])))
  // Written in the background: no request waits for it.
  await eventually(async () => (await seenAt()) !== past.getTime())
  const written = await seenAt()
  t.ok(Date.now() - written < 60_000)
  await sleep(50)
  for (const server of [...urls, ...urls]) await ask(server)
  await sleep(300)
  t.equal(await seenAt(), written)
})
