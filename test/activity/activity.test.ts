import { setTimeout as sleep } from 'node:timers/promises'
import { UUID } from 'mongodb'
import t from 'tap'
import { v7 } from 'uuid'
import { eventually } from '../eventually.ts'
import { makeClient, password, retry503, signUp, testServer } from '../helper.ts'
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
    const { headers } = await retry503(() =>
      client.post('v1/session', { json: { username, password: presented }, headers: { 'user-agent': 'owl/1.0' } }),
    )
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

  t.test('repeats in a row within 15 minutes are one item with a count, and the time of the last', async (t) => {
    const { client, username } = await signUp(url)
    const own = await accountOf(client)
    await Promise.all(Array.from({ length: 6 }, () => logIn(username, 'a wrong one')))
    t.match((await read(client)).items, [{ event: 'login-failed', count: 6 }, { event: 'account-created' }])
    const age = (event: string, ms: number) =>
      activity.findOneAndUpdate(
        { account: own, event },
        { $set: { at: new Date(Date.now() - ms) } },
        { sort: { _id: -1 } },
      )
    await age('login-failed', 890_000)
    const before = Date.now()
    await logIn(username, 'a wrong one')
    const { items } = await read(client)
    t.match(items, [{ event: 'login-failed', count: 7 }, { event: 'account-created' }])
    t.ok(Date.parse(items[0]?.at ?? '') >= before, 'its time is that of the last')
    await age('login-failed', 910_000)
    await logIn(username, 'a wrong one')
    t.match((await read(client)).items, [{ event: 'login-failed', count: 1 }, { count: 7 }, {}])
    for (let n = 0; n < 3; n += 1) await logIn(username)
    t.match((await read(client)).items, [{ event: 'login', count: 3 }, { event: 'login-failed' }, { count: 7 }, {}])
    await makeClient(url).post('v1/session', { json: { username, password }, headers: { 'user-agent': 'crow/1.0' } })
    t.match((await read(client)).items, [
      { event: 'login', userAgent: 'crow/1.0' },
      { event: 'login', count: 3 },
    ])
    t.notOk('count' in ((await read(client)).items[0] ?? {}), 'one that stands for itself has no count')
    await logIn(username, 'a wrong one')
    t.match((await read(client)).items, [{ event: 'login-failed', count: 1 }, { event: 'login' }, { count: 3 }])
  })

  t.test('wrong passwords inside a session are events, also at a change of password', async (t) => {
    const { client } = await signUp(url)
    for (let n = 0; n < 4; n += 1) await client.post('v1/session/confirm', { json: { password: 'wrong' } })
    const newPassword = 'seven grey owls knit at 5 again'
    await client.put('v1/account/password', { json: { currentPassword: 'wrong', newPassword } })
    t.match((await read(client)).items, [{ event: 'confirm-failed', count: 5 }, { event: 'account-created' }])
  })

  t.test('the last 200 of each event are kept, whatever happens more often', async (t) => {
    const { client, username } = await signUp(url)
    const own = await accountOf(client)
    const now = Date.now()
    const seed = (event: string, count: number, ageMs: number) =>
      activity.insertMany(
        Array.from({ length: count }, (_, n) => {
          const at = new Date(now - ageMs + n)
          return { _id: new UUID(v7({ msecs: at.getTime() })), account: own, event, ip: '', userAgent: '', at }
        }),
      )
    const counts = async () =>
      Object.fromEntries(
        (await activity.aggregate([{ $match: { account: own } }, { $sortByCount: '$event' }]).toArray()).map(
          ({ _id, count }) => [_id, count],
        ),
      )
    await seed('password-changed', 3, 3 * dayMs)
    await seed('login', 300, 2 * dayMs)
    await seed('session-confirmed', 20, 2 * dayMs)
    await seed('login-failed', 300, dayMs)
    await seed('exported', 805, dayMs)
    await logIn(username, 'a wrong one')
    await client.post('v1/session/confirm', { json: { password } })
    await client.get('v1/account/export', { responseType: 'text' })
    const kept = { 'password-changed': 3, 'session-confirmed': 21, 'login-failed': 200, exported: 200 }
    t.same(await counts(), { ...kept, login: 300, 'account-created': 1 }, 'an event evicts its own kind only')
    await logIn(username)
    t.same(await counts(), { ...kept, login: 200, 'account-created': 1 })
    const seen: Item[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Page = await read(client, `?limit=100${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
      seen.push(...page.items)
      cursor = page.nextCursor
    }
    t.equal(seen.length, 625)
    t.same(
      seen.map(({ at }) => at),
      seen
        .map(({ at }) => at)
        .sort()
        .reverse(),
      'newest first',
    )
  })

  t.test('pages show each item exactly once while events repeat', async (t) => {
    const { client, username } = await signUp(url)
    for (let n = 0; n < 6; n += 1) await logIn(username, n % 2 ? password : 'a wrong one')
    const before = (await read(client)).items
    const seen: Item[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: Page = await read(client, `?limit=2${cursor && `&cursor=${encodeURIComponent(cursor)}`}`)
      seen.push(...page.items)
      cursor = page.nextCursor
      await logIn(username)
      await logIn(username, 'a wrong one')
      await logIn(username, 'a wrong one')
    }
    t.equal(before.length, 7)
    t.same(seen, before)
    t.match((await read(client)).items.slice(0, 3), [
      { event: 'login-failed', count: 2 },
      { event: 'login' },
      { count: 2 },
    ])
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

t.test('two servers that record the same events at the same time count each once', async (t) => {
  const { url, urls, db } = await twoServers(t)
  const { username } = await signUp(url)
  const logIn = (n: number, presented: string) =>
    makeClient(urls[n % 2] ?? url).post('v1/session', { json: { username, password: presented } })
  // One kind after the other: on a busy machine, conflicts of both together may take longer than a record is tried.
  for (const presented of [password, 'a wrong one'])
    await Promise.all(Array.from({ length: 4 }, (_, n) => retry503(() => logIn(n, presented))))
  const sum = async (event: string) => {
    const found = await db.collection<Item>('activity').find({ event }).toArray()
    return found.reduce((total, { count = 1 }) => total + count, 0)
  }
  t.same([await sum('login'), await sum('account-created')], [4, 1])
  // A busy writer records a failure after its answer.
  await eventually(async () => (await sum('login-failed')) >= 4)
  t.equal(await sum('login-failed'), 4)
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
