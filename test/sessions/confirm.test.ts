import { UUID } from 'mongodb'
import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { setCookies } from './set-cookies.ts'

type Session = { id: string; current: boolean; confirmedUntil: string | null }
type LoggedIn = { account: object; session: Session }
type Page = { items: Session[]; nextCursor: string | null }

// Beyond the 10 minutes of a confirmation, and within the 15 of the client's cookies.
const offsetOfClockMs = 12 * 60_000

for (const offsetMs of [offsetOfClockMs, -offsetOfClockMs]) {
  const direction = offsetMs > 0 ? 'ahead of' : 'behind'
  t.test(`a confirmation ends by the database's clock, which the server's is 12 minutes ${direction}`, async (t) => {
    const { url, db } = await testServer(t)
    const realNow = Date.now
    t.teardown(() => {
      Date.now = realNow
    })
    Date.now = () => realNow() + offsetMs
    const { client } = await signUp(url)
    const { body } = await client.post<LoggedIn>('v1/session/confirm', { json: { password } })
    t.equal((await client.delete('v1/sessions')).statusCode, 204)
    const isOfSession = { _id: new UUID(body.session.id) }
    await db
      .collection<{ _id: UUID }>('sessions')
      .updateOne(isOfSession, { $set: { confirmedUntil: new Date(realNow() - 1) } })
    t.equal((await client.delete('v1/sessions')).statusCode, 403)
  })
}

t.test('confirming a session', async (t) => {
  const { url, db } = await testServer(t)
  const sessions = db.collection<{ _id: UUID; confirmedUntil: Date | null }>('sessions')
  type Client = ReturnType<typeof makeClient>
  const confirm = (client: Client, presented = password) =>
    client.post<LoggedIn>('v1/session/confirm', { json: { password: presented } })
  const logIn = async (username: string) => {
    const client = makeClient(url)
    const { body } = await client.post<LoggedIn>('v1/session', { json: { username, password } })
    return { client, id: body.session.id }
  }

  t.test(
    'a confirmation permits dangerous actions for 10 minutes, in its session only; a login does not',
    async (t) => {
      const { client, username } = await signUp(url)
      const other = await logIn(username)
      const refused = await client.delete('v1/sessions')
      t.equal(refused.statusCode, 403)
      t.match(refused.body, { code: 'confirmation-required' })
      const before = Date.now()
      const { statusCode, headers, body } = await confirm(client)
      t.equal(statusCode, 200)
      const until = Date.parse(body.session.confirmedUntil ?? '')
      t.ok(until >= before + 600_000 && until <= Date.now() + 600_000)
      t.same(Object.keys(setCookies(headers)).sort(), ['refresh', 'session'], 'both cookies are new')
      t.equal((await other.client.delete('v1/sessions')).statusCode, 403, 'not for another session of the account')
      await sessions.updateOne(
        { _id: new UUID(body.session.id) },
        { $set: { confirmedUntil: new Date(Date.now() - 1) } },
      )
      t.equal((await client.delete('v1/sessions')).statusCode, 403, 'not after 10 minutes')
      t.match((await client.get('v1/session')).body, { session: { confirmedUntil: null } })
      t.equal((await other.client.get('v1/session')).statusCode, 200, 'no session was ended')
    },
  )

  t.test('a confirmation rotates the refresh token, and the next refresh keeps the session confirmed', async (t) => {
    const { client } = await signUp(url)
    const { body } = await confirm(client)
    const { statusCode, body: refreshed } = await client.post<LoggedIn>('v1/session/refresh')
    t.equal(statusCode, 200)
    t.equal(refreshed.session.id, body.session.id)
    t.equal(refreshed.session.confirmedUntil, body.session.confirmedUntil)
  })

  t.test('an account lists its own sessions and, once confirmed, ends one or all others', async (t) => {
    const { client, username } = await signUp(url)
    const stranger = await signUp(url)
    const theirs = (await stranger.client.get<LoggedIn>('v1/session')).body.session.id
    const others = [await logIn(username), await logIn(username), await logIn(username)]
    const list = async (query = '') => (await client.get<Page>(`v1/sessions${query}`)).body
    const { items } = await list()
    t.same(
      items.map(({ current }) => current),
      [false, false, false, true],
      'newest first',
    )
    t.same(
      items.slice(0, 3).map(({ id }) => id),
      others.map(({ id }) => id).reverse(),
    )
    const first = await list('?limit=3')
    const second = await list(`?limit=3&cursor=${encodeURIComponent(first.nextCursor ?? '')}`)
    t.same(
      [...first.items, ...second.items].map(({ id }) => id),
      items.map(({ id }) => id),
    )
    t.equal(second.nextCursor, null)
    const [ended, ...rest] = others
    t.equal((await client.delete(`v1/sessions/${ended?.id}`)).statusCode, 403, 'not without a confirmation')
    await confirm(client)
    t.equal((await client.delete(`v1/sessions/${ended?.id}`)).statusCode, 204)
    t.equal((await ended?.client.get('v1/session'))?.statusCode, 401, 'refused at once')
    for (const id of [ended?.id, theirs, 'x', '00000000-0000-7000-8000-000000000000']) {
      t.equal((await client.delete(`v1/sessions/${id}`)).statusCode, 404, `${id}`)
    }
    t.equal((await stranger.client.get('v1/session')).statusCode, 200)
    t.equal((await client.delete('v1/sessions')).statusCode, 204)
    for (const { client } of rest) t.equal((await client.get('v1/session')).statusCode, 401)
    t.equal((await client.get('v1/session')).statusCode, 200, 'the current one stays')
    t.equal((await list()).items.length, 1)
  })

  t.test('ten wrong passwords end this session only; nine and a right one do not', async (t) => {
    const { client, username } = await signUp(url)
    const other = await logIn(username)
    for (let round = 0; round < 2; round += 1) {
      for (let wrong = 0; wrong < 9; wrong += 1) {
        const { statusCode, headers, body } = await confirm(client, `wrong ${wrong}`)
        t.equal(statusCode, 401)
        t.match(body, { code: 'invalid-credentials' })
        t.equal(headers['set-cookie'], undefined)
      }
      if (round === 0) t.equal((await confirm(client)).statusCode, 200)
    }
    t.equal((await client.get('v1/session')).statusCode, 200)
    t.equal((await confirm(client, '\uD800')).statusCode, 401, 'the tenth')
    t.equal((await client.get('v1/session')).statusCode, 401)
    t.equal((await client.post('v1/session/refresh')).statusCode, 401)
    t.equal((await confirm(client)).statusCode, 401, 'the right password comes too late')
    t.equal((await other.client.get('v1/session')).statusCode, 200)
  })

  t.test('only the type and the length of the password are validated, after the session', async (t) => {
    const { client } = await signUp(url)
    for (const json of [{}, { password: 5 }, { password: 'x'.repeat(257) }, { password, more: 1 }]) {
      t.equal((await client.post('v1/session/confirm', { json })).statusCode, 400)
    }
    t.equal((await confirm(client, '')).statusCode, 401)
    const { statusCode, body } = await makeClient(url).post('v1/session/confirm', { json: {} })
    t.equal(statusCode, 401)
    t.match(body, { code: 'unauthenticated' })
  })
})
