import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { carried, setCookies } from './set-cookies.ts'

type Activity = { items: { event: string }[] }

t.test('logging out everywhere', async (t) => {
  const { url } = await testServer(t)
  const logIn = async (username: string) =>
    setCookies((await makeClient(url).post('v1/session', { json: { username, password } })).headers)
  const logOut = (headers: Record<string, string>, query = '?everywhere=true') =>
    makeClient(url).delete<{ code?: string }>(`v1/session${query}`, { headers })
  const isLive = async (cookies: ReturnType<typeof setCookies>) =>
    (await makeClient(url).get('v1/session', { headers: carried(cookies, 'session') })).statusCode === 200

  t.test('ends every session of the account, with one event, and no other account’s', async (t) => {
    const [{ username }, other] = [await signUp(url), await signUp(url)]
    const [one, two] = [await logIn(username), await logIn(username)]
    const { statusCode, headers } = await logOut(carried(one, 'session'))
    t.equal(statusCode, 204)
    t.same(Object.keys(setCookies(headers)).sort(), ['refresh', 'session'])
    for (const cookies of [one, two]) {
      t.notOk(await isLive(cookies))
      const refresh = await makeClient(url).post('v1/session/refresh', { headers: carried(cookies, 'refresh') })
      t.equal(refresh.statusCode, 401)
    }
    t.equal((await other.client.get('v1/session')).statusCode, 200)
    const { body } = await makeClient(url).get<Activity>('v1/account/activity', {
      headers: carried(await logIn(username), 'session'),
    })
    t.same(
      body.items.map(({ event }) => event),
      ['login', 'logout', 'login', 'account-created'],
    )
  })

  t.test('needs a live access token: a refresh token, or a session that has ended, changes nothing', async (t) => {
    const { username } = await signUp(url)
    const [one, two] = [await logIn(username), await logIn(username)]
    const refused = { statusCode: 401, body: { code: 'unauthenticated' } }
    t.match(await logOut(carried(one, 'refresh')), refused)
    t.match(await logOut({}), refused)
    t.ok(await isLive(one))
    await logOut(carried(one, 'session'), '')
    t.match(await logOut(carried(one, 'session', 'refresh')), refused)
    t.ok(await isLive(two))
  })

  t.test('happens only if it is asked for', async (t) => {
    const { username } = await signUp(url)
    const [one, two] = [await logIn(username), await logIn(username)]
    t.equal((await logOut(carried(one, 'session'), '?everywhere=false')).statusCode, 204)
    t.notOk(await isLive(one))
    t.ok(await isLive(two))
    for (const query of ['?everywhere=1', '?everywhere', '?everywhere=true&everywhere=true', '?else=true']) {
      t.equal((await logOut(carried(two, 'session'), query)).statusCode, 400, query)
    }
    t.ok(await isLive(two))
  })

  t.test('ends the other session of a request that carries those of two accounts', async (t) => {
    const [ann, bob] = [await signUp(url), await signUp(url)]
    const [one, two] = [await logIn(ann.username), await logIn(ann.username)]
    const theirs = await logIn(bob.username)
    const cookie = `${carried(one, 'session').cookie}; ${carried(theirs, 'refresh').cookie}`
    t.equal((await logOut({ cookie })).statusCode, 204)
    for (const cookies of [one, two, theirs]) t.notOk(await isLive(cookies))
    t.equal((await bob.client.get('v1/session')).statusCode, 200, 'of the other account only that one')
  })
})
