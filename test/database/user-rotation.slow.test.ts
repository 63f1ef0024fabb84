import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { makeClient } from '../helper.ts'
import { signUpUsers } from '../processes/cluster.ts'
import { expectExactState, runContention } from '../processes/contention-load.ts'
import { logIn, verdict } from '../sessions/servers.ts'
import { rotatingDatabase, runReadsAndLogins } from './fixtures/rotating-server.ts'

const options = { timeout: 180_000 }

/** From the first question on: a sign-up comes before it. */
const enoughAfter = (ms: number) => {
  let end: number | undefined
  return () => {
    end ??= performance.now() + ms
    return performance.now() > end
  }
}

t.test('two users alternate under reads, transactions and batched writes: no request fails', options, async (t) => {
  const { db, startServer, setUser } = await rotatingDatabase(t)
  const { app, url, linesWith, refusals } = await startServer()
  let isFirstClosed = false
  app.mongo.client.once('topologyClosed', () => {
    isFirstClosed = true
  })
  const alternating = ['app-a', 'app-b'].map((username) => ({ username, password: `password of ${username}` }))
  for (const { username, password } of alternating) await setUser(username, password)
  const users = await signUpUsers(url, 12)
  const post = (await users[0]?.client.post<{ id: string }>('v1/posts', { json: { text: 'Hot' } }))?.body.id ?? ''
  let isDone = false
  const loads = Promise.all([runContention(users, post, () => isDone), runReadsAndLogins(url, post, () => isDone)])
  for (let round = 0; round < 12; round += 1) {
    await delay(400)
    const credentials = alternating[round % 2]
    if (credentials) t.same(await app.databaseUser.replace(credentials), { outcome: 'replaced' })
    const { authInfo } = await app.db.command({ connectionStatus: 1 })
    t.match(authInfo.authenticatedUsers, [{ user: credentials?.username }])
  }
  await delay(400)
  isDone = true
  const [{ acknowledged, statuses }, others] = await loads
  t.comment(statuses, others)
  t.same(Object.keys(statuses), ['200', '201'])
  t.same(Object.keys(others), ['200'])
  t.equal(refusals(), 0)
  t.same(linesWith('revocation stream failed, reopening'), [])
  await expectExactState(t, db, { users, acknowledged, post })
  // Not before its change stream has ended, too.
  await eventually(() => isFirstClosed)
  t.equal((await makeClient(url).get('health/ready')).statusCode, 200)
})

t.test(
  'a password that changes under load: only 503 until the user is replaced, then all is well',
  options,
  async (t) => {
    const { connection, db, startServer, setUser } = await rotatingDatabase(t)
    const { app, url, lines, linesWith, refusals } = await startServer()
    const users = await signUpUsers(url, 12)
    const post = (await users[0]?.client.post<{ id: string }>('v1/posts', { json: { text: 'Hot' } }))?.body.id ?? ''
    const [bystander] = await signUpUsers(url, 1)
    let isDone = false
    const loads = Promise.all([runContention(users, post, () => isDone), runReadsAndLogins(url, post, () => isDone)])
    await delay(300)
    await setUser(connection.username, 'second password')
    // Connections that exist keep their login: only a new one is refused, and closes all others.
    await eventually(async () => {
      // More at once than the pool has connections.
      const found = Array.from({ length: 120 }, () => app.db.collection('posts').findOne({}))
      return (await Promise.allSettled(found)).some(({ status }) => status === 'rejected')
    })
    await delay(1_500)
    t.ok(refusals() > 1)
    const logged = linesWith('database refused the user').length
    t.ok(logged > 0 && logged < refusals())
    const wrong = { username: connection.username, password: 'not yet known' }
    await t.rejects(app.databaseUser.replace(wrong), { name: 'StartError' })
    await app.databaseUser.replace({ username: connection.username, password: 'second password' })
    const reaction = await bystander?.client.put(`v1/posts/${post}/reaction`, { json: { value: 'like' } })
    t.equal(reaction?.statusCode, 200, 'no refused transaction still locks the post')
    const replaced = await runReadsAndLogins(url, post, enoughAfter(1_000))
    isDone = true
    const [{ acknowledged, statuses }, others] = await loads
    t.comment(statuses, others, replaced)
    t.same(Object.keys(replaced), ['200'], 'after the replacement')
    t.match(Object.keys({ ...statuses, ...others }), ['200', '201', '503'])
    t.same(linesWith('request failed'), [])
    t.notMatch(lines.join(''), /(first|second) password|not yet known/)
    await expectExactState(t, db, { users, acknowledged, post })
  },
)

t.test(
  'a user that is dropped and created again with its password: 503, and a replacement heals',
  options,
  async (t) => {
    const { connection, startServer, setUser, administer } = await rotatingDatabase(t)
    const { app, url, linesWith, refusals } = await startServer()
    const [ann] = await signUpUsers(url, 1)
    const write = () => ann?.client.post('v1/posts', { json: { text: 'Hello' } })
    await administer({ dropUser: connection.username })
    await eventually(() => refusals() > 0)
    t.pass('noticed without a request')
    for (const send of [write, () => ann?.client.get('v1/account'), () => makeClient(url).get('v1/accounts/ann')]) {
      t.match(await send(), { statusCode: 503, body: { code: 'database-unavailable' } })
    }
    const ready = () => makeClient(url).get('health/ready')
    await eventually(async () => (await ready()).statusCode === 503)
    t.match(await ready(), { statusCode: 503, body: { detail: /refuses the server's user/ } })
    t.match(await makeClient(url).get('health/database'), { statusCode: 503, body: { code: 'database-unavailable' } })
    const logged = linesWith('database refused the user').length
    t.ok(logged > 0 && logged < refusals())
    await t.rejects(app.databaseUser.replace(connection), { name: 'StartError', message: /refuses the user someone/ })
    await setUser(connection.username, connection.password)
    t.same(await app.databaseUser.replace(connection), { outcome: 'replaced' })
    t.match(await write(), { statusCode: 201 })
    t.equal((await ready()).statusCode, 200)
  },
)

t.test('a user without a role on the database replaces nothing', options, async (t) => {
  const { startServer, administer } = await rotatingDatabase(t)
  const { app, url } = await startServer()
  await administer({ createUser: 'bare', pwd: 'bare', roles: [] })
  await t.rejects(app.databaseUser.replace({ username: 'bare', password: 'bare' }), { message: /denies the user bare/ })
  t.equal((await makeClient(url).get('health/ready')).statusCode, 200)
})

t.test('sessions that end while the user is replaced are refused within a second', options, async (t) => {
  const { startServer, setUser } = await rotatingDatabase(t)
  const [one, other] = [await startServer(), await startServer()]
  await setUser('app-a', 'a')
  await setUser('app-b', 'b')
  const [ann] = await signUpUsers(one.url, 1)
  for (let round = 0; round < 8; round += 1) {
    const { token } = await logIn(one.url, ann?.username ?? '')
    const visitor = makeClient(other.url)
    await eventually(async () => (await verdict(visitor, token)) === 'live')
    const name = round % 2 ? 'a' : 'b'
    const replacing = other.app.databaseUser.replace({ username: `app-${name}`, password: name })
    await delay(round * 10)
    const answer = await makeClient(one.url).delete('v1/session', { headers: { cookie: `session=${token}` } })
    const endedAt = performance.now()
    t.equal(answer.statusCode, 204)
    let lastLiveAt = endedAt
    for (const end = endedAt + 1_500; performance.now() < end; await delay(5)) {
      const sentAt = performance.now()
      const found = await verdict(visitor, token)
      if (found !== 'ended') lastLiveAt = sentAt
      t.not(found, 'unknown')
    }
    await replacing
    t.ok(lastLiveAt - endedAt < 1_000, `${Math.round(lastLiveAt - endedAt)} ms`)
  }
  t.same(other.linesWith('revocation stream failed, reopening'), [])
})
