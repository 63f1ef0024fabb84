import t from 'tap'
import { eventually } from '../eventually.ts'
import { password, signUp, testServer } from '../helper.ts'
import { logIn, sharedKey, twoServers } from '../sessions/servers.ts'
import { cookieOf, openStream, post } from './event-stream.ts'

t.test('scope=timeline: root posts by those one follows now, and oneself', async (t) => {
  const { urls } = await twoServers(t)
  const [ann, bob, eve] = [await signUp(urls[0]), await signUp(urls[0]), await signUp(urls[1])]
  const stream = await openStream(t, urls[1], {
    path: '/v1/stream?scope=timeline',
    headers: await cookieOf(ann.client, urls[0]),
  })
  t.equal(stream.status, 200)
  const own = await post(ann.client, 'own')
  const all = await openStream(t, urls[1])
  const before = await post(bob.client, 'before the follow')
  // Sent, and so not for this timeline.
  await all.until('post', before)
  await ann.client.put(`v1/accounts/${bob.username}/follow`)
  const followed = await post(bob.client, 'followed')
  await post(eve.client, 'never followed')
  await post(bob.client, 'a reply', own)
  await bob.client.put(`v1/posts/${followed}/reaction`, { json: { value: 'like' } })
  await bob.client.patch(`v1/posts/${followed}`, { json: { text: 'followed, edited' } })
  await stream.until('edited', followed)
  await ann.client.delete(`v1/accounts/${bob.username}/follow`)
  await post(bob.client, 'after the follow')
  const last = await post(ann.client, 'last')
  await stream.until('post', last)
  // A stream begins in the past, when the posts of an earlier test may have been removed from the same database.
  t.same(
    stream.names().filter((name) => !/^(?:counts|removed)/.test(name)),
    ['post own', 'post followed', 'edited followed, edited', 'post last'],
  )
})

t.test('a stream ends with its session, on every server; one without a session does not', async (t) => {
  const { urls } = await twoServers(t)
  const { client, username } = await signUp(urls[0])
  const other = await logIn(urls[0], username)
  const open = (url: string, token: string, path = '/v1/stream') =>
    openStream(t, url, { path, headers: { cookie: `session=${token}` } })
  const streams = [
    await open(urls[0], other.token),
    await open(urls[0], other.token, '/v1/stream?scope=timeline'),
    await open(urls[1], other.token),
  ]
  const { cookie } = await cookieOf(client, urls[0])
  const [without, own] = [await openStream(t, urls[0]), await openStream(t, urls[0], { headers: { cookie } })]
  await client.post('v1/session/confirm', { json: { password } })
  await client.delete(`v1/sessions/${other.id}`)
  const next = await post(client, 'after its end')
  await without.until('post', next)
  t.notMatch(streams[0]?.text, /after its end/, 'the server that ended it sends nothing more')
  t.notMatch(streams[1]?.text, /after its end/)
  await eventually(() => streams.every(({ hasEnded }) => hasEnded))
  await own.until('post', next)
  t.notOk(without.hasEnded || own.hasEnded)
})

t.test('a stream ends when the access token expires that opened it', async (t) => {
  const { app, url } = await testServer(t, sharedKey)
  const { client } = await signUp(url)
  const { account, session } = await client
    .get('v1/session')
    .json<{ account: { id: string }; session: { id: string } }>()
  const soon = new Date(Date.now() + 3_000)
  const { token } = app.accessTokens.sign({ account: account.id, session: session.id, generation: 0 }, soon)
  const stream = await openStream(t, url, { headers: { cookie: `session=${token}` } })
  const other = await openStream(t, url, { headers: await cookieOf(client, url) })
  t.notOk(stream.hasEnded)
  await eventually(() => stream.hasEnded)
  t.ok(Date.now() > soon.getTime() - 1_000)
  t.notOk(other.hasEnded)
})
