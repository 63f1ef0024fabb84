import { setTimeout as sleep } from 'node:timers/promises'
import { UUID } from 'mongodb'
import t from 'tap'
import { makeClient, password, signUp } from '../helper.ts'
import { twoServers } from './servers.ts'
import { carried, setCookies } from './set-cookies.ts'

type LoggedIn = { session: { id: string } }
type Page = { items: { event: string }[] }

t.test('concurrent refreshes on two servers', async (t) => {
  const { urls, url, db } = await twoServers(t)
  const sessions = db.collection<{ _id: UUID; refreshedAt: Date; step: unknown }>('sessions')
  const refresh = (headers: Record<string, string>, tab = 0) =>
    makeClient(urls[tab % 2] ?? url).post<LoggedIn>('v1/session/refresh', { headers })
  const begin = async () => {
    const { username, client } = await signUp(url)
    const { headers, body } = await makeClient(url).post<LoggedIn>('v1/session', { json: { username, password } })
    return { username, client, cookies: setCookies(headers), id: body.session.id }
  }
  const isLive = async (id: string) => (await sessions.countDocuments({ _id: new UUID(id) })) === 1
  /** Ends the grace period of 10 seconds. */
  const endGrace = (id: string) =>
    sessions.updateOne({ _id: new UUID(id) }, { $set: { refreshedAt: new Date(Date.now() - 10_000) } })

  for (const tabs of [2, 5, 50]) {
    t.test(`${tabs} tabs that refresh with the same token get the same successor, three times in a row`, async (t) => {
      const { cookies, id } = await begin()
      let presented = cookies
      for (let round = 0; round < 3; round += 1) {
        const answers = await Promise.all(
          Array.from({ length: tabs }, (_, tab) => refresh(carried(presented, 'refresh'), tab)),
        )
        t.same(new Set(answers.map(({ statusCode }) => statusCode)), new Set([200]))
        t.same(new Set(answers.map(({ body }) => body.session.id)), new Set([id]))
        const issued = answers.map(({ headers }) => setCookies(headers))
        t.equal(new Set(issued.map(({ refresh }) => refresh?.value)).size, 1, 'the same successor for all')
        const [next = {}] = issued
        t.not(next.refresh?.value, presented.refresh?.value)
        presented = next
      }
    })
  }

  t.test('after a lost response, the same token gets the same successor 9 seconds later', async (t) => {
    const { cookies, id } = await begin()
    const lost = setCookies((await refresh(carried(cookies, 'refresh'))).headers)
    await sessions.updateOne({ _id: new UUID(id) }, { $set: { refreshedAt: new Date(Date.now() - 9_000) } })
    const again = await refresh(carried(cookies, 'refresh'), 1)
    t.equal(again.statusCode, 200)
    t.equal(setCookies(again.headers).refresh?.value, lost.refresh?.value)
    t.equal((await refresh(carried(lost, 'refresh'))).statusCode, 200)
  })

  t.test('a replaced token presented after 10 seconds is reuse: the session ends on all servers', async (t) => {
    const { client, cookies, id } = await begin()
    const next = setCookies((await refresh(carried(cookies, 'refresh'))).headers)
    await endGrace(id)
    const { statusCode, headers, body } = await refresh(carried(cookies, 'refresh'), 1)
    t.equal(statusCode, 401)
    t.match(body, { code: 'unauthenticated' })
    t.equal(headers['set-cookie'], undefined)
    t.notOk(await isLive(id))
    t.equal((await refresh(carried(next, 'refresh'))).statusCode, 401, 'the newer token is refused, too')
    for (const [server, wait] of [
      [urls[1], 0],
      [urls[0], 1_000],
    ] as const) {
      await sleep(wait)
      const answer = await makeClient(server).get('v1/session', { headers: carried(next, 'session') })
      t.equal(answer.statusCode, 401)
    }
    const { items } = (await client.get<Page>('v1/account/activity')).body
    t.same(
      items.map(({ event }) => event),
      ['refresh-reused', 'login', 'account-created'],
      'the activity shows the reuse',
    )
    t.equal((await client.get('v1/session')).statusCode, 200, 'another session of the account stays live')
  })

  t.test('a token from two rotations ago is reuse at once', async (t) => {
    const { cookies, id } = await begin()
    const second = setCookies((await refresh(carried(cookies, 'refresh'))).headers)
    t.equal((await refresh(carried(second, 'refresh'))).statusCode, 200)
    t.equal((await refresh(carried(cookies, 'refresh'), 1)).statusCode, 401)
    t.notOk(await isLive(id))
  })

  t.test('a known family with an invented second part ends the session; an unknown family does not', async (t) => {
    const { cookies, id } = await begin()
    const bytes = Buffer.from(cookies.refresh?.value ?? '', 'base64url')
    const unknownFamily = Buffer.concat([bytes.subarray(0, 16), Buffer.alloc(16, 7), bytes.subarray(32)]).toString(
      'base64url',
    )
    t.equal((await refresh({ cookie: `refresh=${unknownFamily}` })).statusCode, 401)
    t.ok(await isLive(id))
    const forged = Buffer.concat([bytes.subarray(0, 32), Buffer.alloc(32, 7)]).toString('base64url')
    t.equal((await refresh({ cookie: `refresh=${forged}` })).statusCode, 401)
    t.notOk(await isLive(id))
  })

  t.test('50 concurrent reuses end the session once and are one activity item', async (t) => {
    const { client, cookies, id } = await begin()
    await refresh(carried(cookies, 'refresh'))
    await endGrace(id)
    const answers = await Promise.all(Array.from({ length: 50 }, (_, tab) => refresh(carried(cookies, 'refresh'), tab)))
    t.same(new Set(answers.map(({ statusCode }) => statusCode)), new Set([401]))
    const { items } = (await client.get<Page>('v1/account/activity')).body
    t.equal(items.filter(({ event }) => event === 'refresh-reused').length, 1)
  })

  t.test('a confirmation concurrent with 8 refreshes: all get the same token', async (t) => {
    const { cookies } = await begin()
    const both = carried(cookies, 'refresh', 'session')
    const confirm = makeClient(url).post('v1/session/confirm', { headers: both, json: { password } })
    const tabs = Array.from({ length: 8 }, (_, tab) => refresh(both, tab))
    const answers = await Promise.all([confirm, ...tabs])
    t.same(new Set(answers.map(({ statusCode }) => statusCode)), new Set([200]))
    t.equal(new Set(answers.map(({ headers }) => setCookies(headers).refresh?.value)).size, 1)
  })

  t.test('reuse at a confirmation ends the session', async (t) => {
    const { client, cookies, id } = await begin()
    const stolen = setCookies((await refresh(carried(cookies, 'refresh'))).headers)
    await endGrace(id)
    const headers = carried(cookies, 'refresh', 'session')
    const { statusCode } = await makeClient(url).post('v1/session/confirm', { headers, json: { password } })
    t.equal(statusCode, 401)
    t.notOk(await isLive(id))
    const thief = await makeClient(url).get('v1/session', { headers: carried(stolen, 'session') })
    t.equal(thief.statusCode, 401)
    const { items } = (await client.get<Page>('v1/account/activity')).body
    t.equal(items[0]?.event, 'refresh-reused')
  })

  t.test('a family under another account, and a token without an account, are unknown', async (t) => {
    const { cookies, id } = await begin()
    const other = await begin()
    const bytes = Buffer.from(cookies.refresh?.value ?? '', 'base64url')
    const account = Buffer.from(other.cookies.refresh?.value ?? '', 'base64url').subarray(0, 16)
    for (const token of [Buffer.concat([account, bytes.subarray(16)]), bytes.subarray(16)]) {
      const headers = { cookie: `refresh=${token.toString('base64url')}` }
      t.equal((await refresh(headers)).statusCode, 401)
      t.equal((await makeClient(url).delete('v1/session', { headers })).statusCode, 204)
    }
    t.ok(await isLive(id))
    t.equal((await refresh(carried(cookies, 'refresh'))).statusCode, 200)
  })

  t.test('a stored session contains no part of its refresh tokens', async (t) => {
    const { cookies, id } = await begin()
    const next = setCookies((await refresh(carried(cookies, 'refresh'))).headers)
    const stored = JSON.stringify(await sessions.findOne({ _id: new UUID(id) }))
    for (const token of [cookies.refresh?.value, next.refresh?.value]) {
      const bytes = Buffer.from(token ?? '', 'base64url')
      for (const part of [bytes.subarray(16, 32), bytes.subarray(32)]) {
        t.notOk(stored.includes(part.toString('base64')), 'no part of a token')
      }
    }
  })
})
