import t from 'tap'
import { makeClient, password, signUp } from '../helper.ts'
import { type Cookies, lastAlive, logIn, twoServers, verdict } from './servers.ts'
import { carried, setCookies } from './set-cookies.ts'

type Posts = { items: { viewer: object | null }[] }
/** Somebody with a session that is to end, and another from which it may be ended. */
type Somebody = { username: string; client: ReturnType<typeof makeClient>; doomed: Cookies; id: string; url: string }

const wrong = 'nobody has this password 7'
const confirmed = async ({ client }: Somebody) => {
  await client.post('v1/session/confirm', { json: { password } })
  return client
}
const carriedTo = async (path: string, { url, doomed, username }: Somebody, name: string) => {
  const json = { username: path === 'v1/accounts' ? `${username}_2` : username, password }
  await makeClient(url).post(path, { json, headers: carried(doomed, name) })
}
const tenTimes = async (wrongly: () => Promise<unknown>) => {
  for (let tries = 0; tries < 10; tries += 1) await wrongly()
}

/** Everything that ends a session before its time. */
const ways: Record<string, (who: Somebody) => Promise<unknown>> = {
  'logout by the access cookie': ({ url, doomed }) =>
    makeClient(url).delete('v1/session', { headers: carried(doomed, 'session') }),
  'logout by the refresh cookie': ({ url, doomed }) =>
    makeClient(url).delete('v1/session', { headers: carried(doomed, 'refresh') }),
  'revoking it from another session': async (who) => (await confirmed(who)).delete(`v1/sessions/${who.id}`),
  'revoking all others': async (who) => (await confirmed(who)).delete('v1/sessions'),
  'a new password': ({ client }) =>
    client.put('v1/account/password', { json: { currentPassword: password, newPassword: `${password}, and 8` } }),
  'ten wrong passwords at confirming': ({ url, doomed }) =>
    tenTimes(() =>
      makeClient(url).post('v1/session/confirm', { json: { password: wrong }, headers: carried(doomed, 'session') }),
    ),
  'ten wrong passwords at changing it': ({ url, doomed }) =>
    tenTimes(() =>
      makeClient(url).put('v1/account/password', {
        json: { currentPassword: wrong, newPassword: `${password}, and 8` },
        headers: carried(doomed, 'session'),
      }),
    ),
  'the end of its account': async (who) => (await confirmed(who)).delete('v1/account'),
  'a refresh token that is shown again': async ({ url, doomed }) => {
    const refresh = (cookies: Cookies) =>
      makeClient(url).post('v1/session/refresh', { headers: carried(cookies, 'refresh') })
    await refresh(setCookies((await refresh(doomed)).headers))
    await refresh(doomed)
  },
  'the 50 that came after it': async ({ url, username }) => {
    for (let more = 0; more < 50; more += 1) await logIn(url, username)
  },
  'a login that carries its access cookie': (who) => carriedTo('v1/session', who, 'session'),
  'a login that carries its refresh cookie': (who) => carriedTo('v1/session', who, 'refresh'),
  // Not by the refresh cookie: only /v1/session* reads it.
  'a sign-up that carries its access cookie': (who) => carriedTo('v1/accounts', who, 'session'),
}

t.test('a session that ends is dead at once here, and within a second elsewhere', { timeout: 180_000 }, async (t) => {
  const { urls } = await twoServers(t)
  const [here, there] = urls
  const bystander = await signUp(here)
  await bystander.client.post('v1/posts', { json: { text: 'For all to read' } })
  const { token: living } = await logIn(here, bystander.username)
  const ended: string[] = []

  for (const [way, end] of Object.entries(ways)) {
    t.test(way, async (t) => {
      const { client, username } = await signUp(here)
      const { cookies, id, token } = await logIn(here, username)
      for (const url of urls) t.equal(await verdict(url, token), 'alive')
      await end({ url: here, client, username, doomed: cookies, id })
      const [atOnce, last] = await Promise.all([verdict(here, token), lastAlive(there, token)])
      t.equal(atOnce, 'dead')
      t.ok(last <= 1_000, `elsewhere it was last alive ${Math.round(last)} ms after it had ended`)
      ended.push(token)
    })
  }

  t.test('and for good, on every route and every server; who only reads is nobody', async (t) => {
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
})
