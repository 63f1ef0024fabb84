import t from 'tap'
import { makeClient, password, signUp } from '../helper.ts'
import { type Cookies, lastLiveMs, logIn, twoServers, verdict } from './servers.ts'
import { carried, setCookies } from './set-cookies.ts'

type Posts = { items: { viewer: object | null }[] }
/** An account with a session that is to end, and a client with another session. */
type Subject = { username: string; client: ReturnType<typeof makeClient>; cookies: Cookies; id: string; url: string }

const wrongPassword = 'wrong horse battery 7'
const confirmed = async ({ client }: Subject) => {
  await client.post('v1/session/confirm', { json: { password } })
  return client
}
const issueWith = async (path: string, { url, cookies, username }: Subject, name: string) => {
  const json = { username: path === 'v1/accounts' ? `${username}_2` : username, password }
  await makeClient(url).post(path, { json, headers: carried(cookies, name) })
}
const tenTimes = async (attempt: () => Promise<unknown>) => {
  for (let n = 0; n < 10; n += 1) await attempt()
}

/** Everything that ends a session before it expires. */
const ways: Record<string, (subject: Subject) => Promise<unknown>> = {
  'logout by the access cookie': ({ url, cookies }) =>
    makeClient(url).delete('v1/session', { headers: carried(cookies, 'session') }),
  'logout by the refresh cookie': ({ url, cookies }) =>
    makeClient(url).delete('v1/session', { headers: carried(cookies, 'refresh') }),
  'revocation from another session': async (subject) => (await confirmed(subject)).delete(`v1/sessions/${subject.id}`),
  'revocation of all other sessions': async (subject) => (await confirmed(subject)).delete('v1/sessions'),
  'a password change': ({ client }) =>
    client.put('v1/account/password', { json: { currentPassword: password, newPassword: `${password}, and 8` } }),
  'ten wrong passwords at POST /v1/session/confirm': ({ url, cookies }) =>
    tenTimes(() =>
      makeClient(url).post('v1/session/confirm', {
        json: { password: wrongPassword },
        headers: carried(cookies, 'session'),
      }),
    ),
  'ten wrong passwords at PUT /v1/account/password': ({ url, cookies }) =>
    tenTimes(() =>
      makeClient(url).put('v1/account/password', {
        json: { currentPassword: wrongPassword, newPassword: `${password}, and 8` },
        headers: carried(cookies, 'session'),
      }),
    ),
  'account deletion': async (subject) => (await confirmed(subject)).delete('v1/account'),
  'reuse of a refresh token': async ({ url, cookies }) => {
    const refresh = (cookies: Cookies) =>
      makeClient(url).post('v1/session/refresh', { headers: carried(cookies, 'refresh') })
    await refresh(setCookies((await refresh(cookies)).headers))
    await refresh(cookies)
  },
  '50 later logins': async ({ url, username }) => {
    for (let n = 0; n < 50; n += 1) await logIn(url, username)
  },
  'a login that carries its access cookie': (subject) => issueWith('v1/session', subject, 'session'),
  'a login that carries its refresh cookie': (subject) => issueWith('v1/session', subject, 'refresh'),
  // Not by the refresh cookie: only /v1/session* reads it.
  'a sign-up that carries its access cookie': (subject) => issueWith('v1/accounts', subject, 'session'),
}

t.test(
  'an ended session is refused at once here, and within a second by another server',
  { timeout: 180_000 },
  async (t) => {
    const { urls } = await twoServers(t)
    const [here, there] = urls
    const bystander = await signUp(here)
    await bystander.client.post('v1/posts', { json: { text: 'Public' } })
    const { token: living } = await logIn(here, bystander.username)
    const ended: string[] = []

    for (const [way, end] of Object.entries(ways)) {
      t.test(`ended by ${way}`, async (t) => {
        const { client, username } = await signUp(here)
        const { cookies, id, token } = await logIn(here, username)
        for (const url of urls) t.equal(await verdict(url, token), 'live')
        await end({ url: here, client, username, cookies, id })
        const [atOnce, last] = await Promise.all([verdict(here, token), lastLiveMs(there, token)])
        t.equal(atOnce, 'ended')
        t.ok(last <= 1_000, `last accepted elsewhere after ${Math.round(last)} ms`)
        ended.push(token)
      })
    }

    t.test('ended sessions stay refused on every route and server; public reads treat them as anonymous', async (t) => {
      for (const url of urls) {
        const get = (path: string, token: string) =>
          makeClient(url).get(path, { headers: { cookie: `session=${token}` } })
        t.equal((await get('v1/account', living)).statusCode, 200)
        for (const token of ended) {
          for (const path of ['v1/session', 'v1/account']) t.equal((await get(path, token)).statusCode, 401, path)
        }
        for (const [token, viewer, header] of [
          [living, { reaction: null }, undefined],
          ...ended.map((token) => [token, null, 'invalid'] as const),
        ] as const) {
          const { body, headers } = await makeClient(url).get<Posts>('v1/posts', {
            headers: { cookie: `session=${token}` },
          })
          t.same([body.items[0]?.viewer, headers['rookery-session']], [viewer, header])
        }
      }
      t.equal(ended.length, Object.keys(ways).length)
    })
  },
)
