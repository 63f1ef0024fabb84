import { setImmediate as nextTurn, setTimeout } from 'node:timers/promises'
import { MongoClient, UUID } from 'mongodb'
import { type Test, test } from 'tap'
import { revocationCache } from '../../src/sessions/revocation-cache.ts'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase, makeClient, signUp } from '../helper.ts'
import { logIn, serverOn, verdict } from './servers.ts'

const options = { timeout: 120_000 }

async function databaseBehindProxy(t: Test) {
  const { db, connection } = await freshDatabase(t)
  const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
  return { db, proxy, near: connection, far: { ...connection, uri: proxy.uri(db.databaseName) } }
}

/** The most commands of this name on `revocations` that the client had in flight at once. */
function countInFlight(client: MongoClient, name: string) {
  const inFlight = new Set<number>()
  let most = 0
  client.on('commandStarted', ({ requestId, commandName, command }) => {
    if (commandName !== name || command[name] !== 'revocations') return
    inFlight.add(requestId)
    most = Math.max(most, inFlight.size)
  })
  client.on('commandSucceeded', ({ requestId }) => inFlight.delete(requestId))
  client.on('commandFailed', ({ requestId }) => inFlight.delete(requestId))
  return () => most
}

test('however many sessions are looked up, at most four queries are in flight', options, async (t) => {
  const { proxy, far } = await databaseBehindProxy(t)
  const { uri, username, password } = far
  const client = new MongoClient(uri, { auth: { username, password }, authSource: 'admin', monitorCommands: true })
  await client.connect()
  t.teardown(() => client.close())
  const most = countInFlight(client, 'find')
  const { readIsLive } = revocationCache(client.db())
  const sessions = Array.from({ length: 50 }, () => new UUID().toString())
  await readIsLive(sessions[0] ?? '')
  proxy.delayReplies(300)
  const lookUps: Promise<boolean>[] = []
  for (let n = 0; n < 400; n += 1) {
    lookUps.push(readIsLive(sessions[n % sessions.length] ?? ''))
    await nextTurn()
  }
  t.same(new Set(await Promise.all(lookUps)), new Set([true]))
  t.ok(most() <= 4, `${most()} in flight`)
})

test('while slow queries hold every connection of requests, the feed stays current', options, async (t) => {
  const { proxy, near, far } = await databaseBehindProxy(t)
  const [here, there] = [await serverOn(t, near), await serverOn(t, far)]
  t.teardown(() => proxy.disconnect())
  const { username } = await signUp(here)
  const [living, ended] = [await logIn(here, username), await logIn(here, username)]
  await eventually(async () => (await verdict(there, living.token)) === 'live')
  // Long enough for the first heartbeat, after which authentication needs no query.
  await setTimeout(1_000)
  for (const command of ['find', 'aggregate']) {
    proxy.cut({ command, when: 'never', times: Number.POSITIVE_INFINITY })
  }
  const reader = makeClient(there)
  const slow: Promise<unknown>[] = []
  // One after the other: requests that arrive in one turn of the event loop share a query.
  while (proxy.cuts() < 100) {
    slow.push(reader.get('v1/posts'))
    await setTimeout(10)
  }
  const headers = { cookie: `session=${ended.token}` }
  t.equal((await makeClient(here).delete('v1/session', { headers })).statusCode, 204)
  await eventually(async () => (await verdict(there, ended.token)) === 'ended')
  const verdicts = new Set<string>()
  for (let n = 0; n < 20; n += 1) {
    verdicts.add(await verdict(there, living.token))
    await setTimeout(100)
  }
  t.same([...verdicts], ['live'])
  await Promise.all(slow)
})

test(
  'a stream that breaks at once each time is reopened with a growing pause, and sessions are looked up',
  options,
  async (t) => {
    const { proxy, near, far } = await databaseBehindProxy(t)
    const [here, there] = [await serverOn(t, near), await serverOn(t, far)]
    t.teardown(() => proxy.disconnect())
    const { username } = await signUp(here)
    const [living, ended] = [await logIn(here, username), await logIn(here, username)]
    await eventually(async () => (await verdict(there, living.token)) === 'live')
    proxy.cut({ command: 'getMore', when: 'before', times: Number.POSITIVE_INFINITY })
    await eventually(() => proxy.cuts() >= 3)
    await setTimeout(5_000)
    t.ok(proxy.cuts() <= 20, `${proxy.cuts()} streams in 5 s`)
    const headers = { cookie: `session=${ended.token}` }
    t.equal((await makeClient(here).delete('v1/session', { headers })).statusCode, 204)
    await eventually(async () => (await verdict(there, ended.token)) === 'ended')
    t.equal(await verdict(there, living.token), 'live')
  },
)
