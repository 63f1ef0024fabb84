import { UUID } from 'mongodb'
import t from 'tap'
import { makeClient, password, signUp } from '../helper.ts'
import { type Cookies, twoServers } from './servers.ts'
import { carried, setCookies } from './set-cookies.ts'

type Stored = { _id: UUID; generation?: number; confirmedUntil: Date | null }

const claimsOf = (cookies: Cookies): { sid: string; gen: number } =>
  JSON.parse(Buffer.from(cookies.session?.value.split('.')[1] ?? '', 'base64url').toString())

t.test('generations: what a confirmation permits, and to which access tokens', async (t) => {
  const { urls, url, db } = await twoServers(t)
  const sessions = db.collection<Stored>('sessions')
  const [, other] = urls

  async function begin(): Promise<Cookies> {
    const { username } = await signUp(url)
    const { headers } = await makeClient(url).post('v1/session', { json: { username, password } })
    return setCookies(headers)
  }
  async function confirm(cookies: Cookies, ...names: string[]): Promise<Cookies> {
    const headers = carried(cookies, 'session', ...names)
    const response = await makeClient(url).post('v1/session/confirm', { headers, json: { password } })
    t.equal(response.statusCode, 200)
    return setCookies(response.headers)
  }
  async function refresh(cookies: Cookies, server = url): Promise<Cookies> {
    const response = await makeClient(server).post('v1/session/refresh', { headers: carried(cookies, 'refresh') })
    t.equal(response.statusCode, 200)
    return setCookies(response.headers)
  }
  /** The statuses of what says "after confirm", on both servers. The path ends no session, and deletes nothing. */
  async function dangerous(cookies: Cookies): Promise<number[]> {
    const headers = carried(cookies, 'session')
    const id = '00000000-0000-7000-8000-000000000000'
    const answers = await Promise.all(
      urls.flatMap((server) => [
        makeClient(server).delete(`v1/sessions/${id}`, { headers }),
        makeClient(server).head('v1/account/export', { headers, responseType: 'text' }),
      ]),
    )
    return answers.map(({ statusCode }) => statusCode)
  }
  const permitted = [404, 200, 404, 200]
  const refused = [403, 403, 403, 403]

  t.test('each refresh and confirmation raises gen in the token and the session', async (t) => {
    const first = await begin()
    t.equal(claimsOf(first).gen, 0)
    const second = await refresh(first)
    const third = await confirm({ ...first, ...second }, 'refresh')
    const fourth = await refresh(third, other)
    const fifth = await confirm(fourth)
    t.same(
      [second, third, fourth, fifth].map((cookies) => claimsOf(cookies).gen),
      [1, 2, 3, 4],
    )
    t.match(await sessions.findOne({ _id: new UUID(claimsOf(first).sid) }), { generation: 4 })
  })

  t.test('an access token taken before the confirmation gains nothing; a later one does', async (t) => {
    const stolen = await begin()
    const alsoStolen = await refresh(stolen)
    t.same(await dangerous(alsoStolen), refused)
    const confirmed = await confirm({ ...stolen, ...alsoStolen }, 'refresh')
    t.same(await dangerous(stolen), refused)
    t.same(await dangerous(alsoStolen), refused)
    t.same(await dangerous(confirmed), permitted)
    t.same(await dangerous(await refresh(confirmed, other)), permitted)
    const { statusCode, body } = await makeClient(url).delete('v1/account', { headers: carried(stolen, 'session') })
    t.match({ statusCode, body }, { statusCode: 403, body: { code: 'confirmation-required' } })
    t.equal((await makeClient(url).get('v1/session', { headers: carried(stolen, 'session') })).statusCode, 200)
  })

  t.test('a second confirmation lifts no token of the first', async (t) => {
    const first = await confirm(await begin())
    const second = await confirm(first, 'refresh')
    t.same(await dangerous(first), refused)
    t.same(await dangerous(second), permitted)
  })

  t.test('a refresh token taken before: its successor within 10 s comes without the confirmation', async (t) => {
    const stolen = await begin()
    const confirmed = await confirm(stolen, 'refresh')
    const replayed = await refresh(stolen, other)
    t.equal(replayed.refresh?.value, confirmed.refresh?.value, 'the same successor')
    t.same(await dangerous(replayed), refused)
    t.same(await dangerous(confirmed), permitted, 'until the next refresh')
    t.same(await dangerous(await refresh(replayed)), refused)
    t.same(await dangerous(confirmed), refused, 'the refresh has ended the confirmation')
  })

  t.test('so does a successor that was refreshed before the confirmation', async (t) => {
    const stolen = await begin()
    const refreshed = await refresh(stolen, other)
    const confirmed = await confirm(stolen, 'refresh')
    t.equal(refreshed.refresh?.value, confirmed.refresh?.value, 'two tabs')
    t.same(await dangerous(refreshed), refused)
    t.same(await dangerous(confirmed), permitted)
    t.same(await dangerous(await refresh(refreshed)), refused)
    const again = await confirm(confirmed)
    t.same(await dangerous(again), permitted)
    t.same(await dangerous(await refresh(again)), permitted, 'a confirmation that shares no token outlasts a refresh')
  })

  t.test('a replay of a token that a refresh replaced has the present generation', async (t) => {
    const first = await confirm(await begin())
    const second = await refresh(first)
    t.equal(claimsOf(await refresh(first, other)).gen, claimsOf(second).gen)
    t.same(await dangerous(await refresh(second)), permitted)
  })

  t.test('a session of an earlier version counts as generation 0', async (t) => {
    const cookies = await begin()
    const _id = new UUID(claimsOf(cookies).sid)
    const confirmedUntil = new Date(Date.now() + 600_000)
    await sessions.updateOne({ _id }, { $set: { confirmedUntil }, $unset: { generation: '' } })
    t.same(await dangerous(cookies), permitted)
    t.equal(claimsOf(await refresh(cookies)).gen, 1)
  })
})
