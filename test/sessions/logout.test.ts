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
  const isDead = async (t: Test, cookies: Record<string, SetCookie | undefined>) => {
    const session = carried(cookies, 'session')
    for (const path of ['v1/session', 'v1/account']) {
      t.equal((await makeClient(url).get(path, { headers: session })).statusCode, 401, path)
    }
    const post = await makeClient(url).post('v1/posts', { headers: session, json: { text: 'ghost' } })
    t.equal(post.statusCode, 401, 'nothing is written with it')
    const refresh = await makeClient(url).post('v1/session/refresh', { headers: carried(cookies, 'refresh') })
    t.equal(refresh.statusCode, 401)
  }

  t.test('ends the session that either cookie names, at once, and clears both', async (t) => {
    for (const names of [['session'], ['refresh'], ['session', 'refresh']]) {
      const cookies = await begin()
      const { statusCode, headers, rawBody } = await logOut(carried(cookies, ...names))
      t.equal(statusCode, 204, names.join(' and '))
      t.equal(rawBody.length, 0)
      const cleared = setCookies(headers)
      t.same(Object.keys(cleared).sort(), ['refresh', 'session'], 'the device stays known')
      for (const [name, cookie] of Object.entries(cleared)) {
        t.equal(cookie?.value, '')
        const gone = cookie?.attributes.filter((attribute) =>
          /^(Max-Age=0|Expires=Thu, 01 Jan 1970 .*)$/.test(attribute),
        )
        t.ok(gone?.length, `${name} is over`)
        t.ok(cookie?.attributes.includes('Path=/') && cookie.attributes.includes('HttpOnly'))
      }
      await isDead(t, cookies)
    }
  })

  t.test('when there was none: 204, again and again', async (t) => {
    const cookies = await begin()
    for (const headers of [{}, { cookie: 'session=x; refresh=y' }, carried(cookies, 'session', 'refresh')]) {
      t.equal((await logOut(headers)).statusCode, 204)
      t.equal((await logOut(headers)).statusCode, 204)
    }
  })

  t.test('two cookies of two sessions end both', async (t) => {
    const [one, other] = [await begin(), await begin()]
    const { cookie } = carried(one, 'session')
    await logOut({ cookie: `${cookie}; ${carried(other, 'refresh').cookie}` })
    await isDead(t, one)
    await isDead(t, other)
  })

  t.test('a refresh under way when the session ends does not bring it back', async (t) => {
    for (let round = 0; round < 5; round += 1) {
      const cookies = await begin()
      const [refreshed] = await Promise.all([
        makeClient(url).post('v1/session/refresh', { headers: carried(cookies, 'refresh') }),
        logOut(carried(cookies, 'session')),
      ])
      await isDead(t, { ...cookies, ...(refreshed.statusCode === 200 && setCookies(refreshed.headers)) })
    }
  })

  t.test('other sessions of the account live on', async (t) => {
    const { client, username } = await signUp(url)
    const cookies = setCookies((await makeClient(url).post('v1/session', { json: { username, password } })).headers)
    await logOut(carried(cookies, 'session'))
    t.equal((await client.get('v1/session')).statusCode, 200)
    t.equal(await db.collection('sessions').countDocuments({ endsAt: { $lt: new Date() } }), 0)
  })
})

t.test('with COOKIE_SECURE the cleared cookies are Secure, or a browser would keep the old ones', async (t) => {
  const { url } = await testServer(t, { COOKIE_SECURE: 'true' })
  const { headers } = await makeClient(url).delete('v1/session')
  const cleared = setCookies(headers)
  t.same(Object.keys(cleared).sort(), ['__Host-refresh', '__Host-session'])
  for (const cookie of Object.values(cleared)) t.ok(cookie?.attributes.includes('Secure'))
})
