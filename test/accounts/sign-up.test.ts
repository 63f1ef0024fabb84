import t from 'tap'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { setCookies } from '../sessions/set-cookies.ts'

type Account = { id: string; createdAt: string }
type Problem = { errors: { pointer: string; detail: string }[] }

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

t.test('sign-up over HTTP', async (t) => {
  const { url, db } = await testServer(t)

  t.test('username and password suffice: 201 with defaults, Location and a session', async (t) => {
    const client = makeClient(url)
    const { statusCode, headers, body } = await client.post<Account>('v1/accounts', {
      json: { username: 'Ann_1', password },
    })
    t.equal(statusCode, 201)
    t.equal(headers.location, '/v1/accounts/Ann_1')
    t.same(body, {
      id: body.id,
      username: 'Ann_1',
      displayName: 'Ann_1',
      bio: '',
      createdAt: body.createdAt,
      counts: { posts: 0, followers: 0, following: 0 },
      viewer: { following: false },
    })
    t.match(body.createdAt, time)
    t.same((await client.get('v1/account')).body, body, 'logged in')
    t.same((await client.get(headers.location?.slice(1) ?? '')).body, body, 'Location names it')
    t.same((await makeClient(url).get('v1/accounts/Ann_1')).body, { ...body, viewer: null })
  })

  t.test('displayName and bio are stored in NFC', async (t) => {
    const json = { username: 'bob', password, displayName: 'Bob\u0065\u0301', bio: 'line\n\ttwo 🌍' }
    const { statusCode, body } = await makeClient(url).post('v1/accounts', { json })
    t.equal(statusCode, 201)
    t.match(body, { displayName: 'Bob\u00e9', bio: 'line\n\ttwo 🌍' })
  })

  t.test('a sign-up sets the session, refresh and device cookies with their attributes', async (t) => {
    const { headers, body } = await makeClient(url).post<Account>('v1/accounts', {
      json: { username: 'cookie', password },
    })
    const cookies = setCookies(headers)
    t.same(Object.keys(cookies).sort(), ['device', 'refresh', 'session'])
    t.same(cookies.session?.attributes, ['HttpOnly', 'Max-Age=900', 'Path=/', 'SameSite=Lax'])
    const [age, ...others] = (cookies.refresh?.attributes ?? []).toSorted((one) => (one.startsWith('Max-Age') ? -1 : 1))
    t.same(others, ['HttpOnly', 'Path=/', 'SameSite=Strict'])
    const seconds = Number(age?.slice('Max-Age='.length))
    t.ok(seconds <= 30 * 86_400 && seconds > 30 * 86_400 - 300, `30 days: ${age}`)
    t.same(cookies.device?.attributes, ['HttpOnly', 'Max-Age=34560000', 'Path=/', 'SameSite=Strict'])
    for (const [name, cookie] of Object.entries(cookies)) {
      t.notOk(JSON.stringify(body).includes(cookie?.value ?? ''), `${name} is in no body`)
    }
  })

  t.test('a sign-up ends the session that the request carried', async (t) => {
    const ann = await signUp(url)
    const old = ann.client.jar.getCookieStringSync(url)
    const { statusCode } = await ann.client.post('v1/accounts', { json: { username: 'second', password } })
    t.equal(statusCode, 201)
    const headers = { cookie: old }
    t.equal((await makeClient(url).get('v1/session', { headers })).statusCode, 401)
    t.equal((await makeClient(url).post('v1/session/refresh', { headers })).statusCode, 401)
    t.match((await ann.client.get('v1/session')).body, { account: { username: 'second' } })
  })

  t.test('a sign-up with only the refresh cookie, or an invalid access cookie, ends the carried session', async (t) => {
    for (const expired of ['', 'session=expired; ']) {
      const { client } = await signUp(url)
      const refresh = client.jar.getCookiesSync(url).find(({ key }) => key === 'refresh')
      const headers = { cookie: `${expired}${refresh?.cookieString()}` }
      const json = { username: `after${expired.length}`, password }
      t.equal((await makeClient(url).post('v1/accounts', { headers, json })).statusCode, 201)
      t.equal((await client.get('v1/session')).statusCode, 401, 'its access token')
      t.equal((await client.post('v1/session/refresh')).statusCode, 401, 'its refresh token')
    }
  })

  t.test('a refused sign-up ends no session and sets no cookie', async (t) => {
    const { client, username } = await signUp(url)
    const refused = await client.post('v1/accounts', { json: { username, password } })
    t.equal(refused.statusCode, 409)
    t.equal(refused.headers['set-cookie'], undefined)
    t.equal((await client.get('v1/session')).statusCode, 200)
  })

  t.test('each invalid member has its own pointer, and no account is created', async (t) => {
    const before = await db.collection('accounts').countDocuments()
    const json = { username: 'no way', password: 7, displayName: 'x'.repeat(51), bio: '\0', rank: 'admin' }
    const { statusCode, body } = await makeClient(url).post<Problem>('v1/accounts', { json })
    t.equal(statusCode, 400)
    t.match(body, { code: 'validation' })
    const pointers = body.errors.map(({ pointer }) => pointer).sort()
    t.same(pointers, ['/body/bio', '/body/displayName', '/body/password', '/body/rank', '/body/username'])
    t.notMatch(JSON.stringify(body), /no way|xxx|admin/, 'values are not echoed')
    for (const missing of ['username', 'password']) {
      const json = { username: 'complete', password, [missing]: undefined }
      t.match((await makeClient(url).post('v1/accounts', { json })).body, { errors: [{ pointer: `/body/${missing}` }] })
    }
    t.equal(await db.collection('accounts').countDocuments(), before)
  })
})

t.test('with COOKIE_SECURE cookies are Secure with the prefix __Host-, and others are ignored', async (t) => {
  const { url } = await testServer(t, { COOKIE_SECURE: 'true' })
  const { statusCode, headers } = await makeClient(url).post('v1/accounts', { json: { username: 'ann', password } })
  t.equal(statusCode, 201)
  const cookies = setCookies(headers)
  t.same(Object.keys(cookies).sort(), ['__Host-device', '__Host-refresh', '__Host-session'])
  t.same(cookies['__Host-session']?.attributes, ['HttpOnly', 'Max-Age=900', 'Path=/', 'SameSite=Lax', 'Secure'])
  for (const name of ['__Host-refresh', '__Host-device']) {
    const attributes = cookies[name]?.attributes.filter((attribute) => !attribute.startsWith('Max-Age'))
    t.same(attributes, ['HttpOnly', 'Path=/', 'SameSite=Strict', 'Secure'], name)
  }
  const token = cookies['__Host-session']?.value
  const get = async (cookie: string) => (await makeClient(url).get('v1/session', { headers: { cookie } })).statusCode
  t.equal(await get(`__Host-session=${token}`), 200)
  t.equal(await get(`session=${token}`), 401, 'a cookie that another host could have set')
})
