import t, { type Test } from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { carried, type SetCookie, setCookies } from './set-cookies.ts'

t.test('logging out', async (t) => {
  const { url, db } = await testServer(t)
  const begin = async () => {
    const { username } = await signUp(url)
    return setCookies((await makeClient(url).post('v1/session', { json: { username, password } })).headers)
  }
  const logOut = (headers: Record<string, string>) => makeClient(url).delete('v1/session', { headers })
  const expectEnded = async (t: Test, cookies: Record<string, SetCookie | undefined>) => {
    const session = carried(cookies, 'session')
    for (const path of ['v1/session', 'v1/account']) {
      t.equal((await makeClient(url).get(path, { headers: session })).statusCode, 401, path)
    }
    const post = await makeClient(url).post('v1/posts', { headers: session, json: { text: 'too late' } })
    t.equal(post.statusCode, 401, 'a write is refused')
    const refresh = await makeClient(url).post('v1/session/refresh', { headers: carried(cookies, 'refresh') })
    t.equal(refresh.statusCode, 401)
  }

  t.test('a logout ends the session that either cookie names, at once, and clears both cookies', async (t) => {
    for (const names of [['session'], ['refresh'], ['session', 'refresh']]) {
      const cookies = await begin()
      const { statusCode, headers, rawBody } = await logOut(carried(cookies, ...names))
      t.equal(statusCode, 204, names.join(' and '))
      t.equal(rawBody.length, 0)
      const cleared = setCookies(headers)
      t.same(Object.keys(cleared).sort(), ['refresh', 'session'], 'the device stays known')
      t.equal(headers['clear-site-data'], '"cache", "storage"', 'not "cookies", or the device would be forgotten')
      for (const [name, cookie] of Object.entries(cleared)) {
        t.equal(cookie?.value, '')
        t.ok(cookie?.attributes.includes('Max-Age=0'), `${name} has expired`)
        t.ok(cookie?.attributes.includes('Path=/') && cookie.attributes.includes('HttpOnly'))
      }
      await expectEnded(t, cookies)
    }
  })

  t.test('a repeated logout, or one without a session, gets 204', async (t) => {
    const cookies = await begin()
    for (const headers of [{}, { cookie: 'session=x; refresh=y' }, carried(cookies, 'session', 'refresh')]) {
      t.equal((await logOut(headers)).statusCode, 204)
      t.equal((await logOut(headers)).statusCode, 204)
    }
  })

  t.test('cookies of two different sessions end both', async (t) => {
    const [first, second] = [await begin(), await begin()]
    const { cookie } = carried(first, 'session')
    await logOut({ cookie: `${cookie}; ${carried(second, 'refresh').cookie}` })
    await expectEnded(t, first)
    await expectEnded(t, second)
  })

  t.test('a refresh concurrent with a logout does not revive the session', async (t) => {
    for (let round = 0; round < 5; round += 1) {
      const cookies = await begin()
      const [refreshed] = await Promise.all([
        makeClient(url).post('v1/session/refresh', { headers: carried(cookies, 'refresh') }),
        logOut(carried(cookies, 'session')),
      ])
      await expectEnded(t, { ...cookies, ...(refreshed.statusCode === 200 && setCookies(refreshed.headers)) })
    }
  })

  t.test('other sessions of the account stay live', async (t) => {
    const { client, username } = await signUp(url)
    const cookies = setCookies((await makeClient(url).post('v1/session', { json: { username, password } })).headers)
    await logOut(carried(cookies, 'session'))
    t.equal((await client.get('v1/session')).statusCode, 200)
    t.equal(await db.collection('sessions').countDocuments({ endsAt: { $lt: new Date() } }), 0)
  })
})

t.test('with COOKIE_SECURE the cleared cookies are Secure: browsers ignore them otherwise', async (t) => {
  const { url } = await testServer(t, { COOKIE_SECURE: 'true' })
  const { headers } = await makeClient(url).delete('v1/session')
  const cleared = setCookies(headers)
  t.same(Object.keys(cleared).sort(), ['__Host-refresh', '__Host-session'])
  for (const cookie of Object.values(cleared)) t.ok(cookie?.attributes.includes('Secure'))
})
