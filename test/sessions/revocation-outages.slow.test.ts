import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { processesWith } from '../database/fixtures/processes.ts'
import { username as dbUser, startHere } from '../embedded-mongod/fixtures/server.ts'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase, makeClient, signUp } from '../helper.ts'
import { lastLiveMs, logIn, serverOn, verdict } from './servers.ts'

const options = { timeout: 120_000 }
const logOut = async (url: string, token: string) => {
  const headers = { cookie: `session=${token}` }
  const { statusCode } = await makeClient(url).delete('v1/session', { headers })
  if (statusCode !== 204) throw new Error(`logging out answered ${statusCode}`)
}
const becomesLive = async (url: string, token: string) =>
  eventually(async () => (await verdict(url, token)) === 'live').then(() => true)

/** Verdicts on a token, every 50 ms for a second, beginning in a second. */
async function verdictsLater(url: string, token: string): Promise<Set<string>> {
  await delay(1_000)
  const verdicts: Promise<string>[] = []
  for (const until = performance.now() + 1_000; performance.now() < until; await delay(50)) {
    verdicts.push(verdict(url, token))
  }
  return new Set(await Promise.all(verdicts))
}

test(
  'with hanging change streams, an ended session is refused at once here and within a second elsewhere',
  options,
  async (t) => {
    const { db, connection } = await freshDatabase(t)
    const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
    const uri = proxy.uri(db.databaseName)
    const [here, there] = [await serverOn(t, { ...connection, uri }), await serverOn(t, { ...connection, uri })]
    t.teardown(() => {
      // Otherwise the close waits for the unanswered getMore.
      proxy.disconnect()
      proxy.reconnect()
    })
    const { username } = await signUp(here)
    const tokens = await Promise.all(Array.from({ length: 5 }, async () => (await logIn(here, username)).token))
    const { token: live } = await logIn(here, username)
    await delay(1_000)
    proxy.cut({ command: 'getMore', when: 'never', times: Number.POSITIVE_INFINITY })
    for (const token of tokens) {
      await logOut(here, token)
      const [atOnce, last] = await Promise.all([verdict(here, token), lastLiveMs(there, token)])
      t.equal(atOnce, 'ended')
      t.ok(last <= 1_000, `last accepted elsewhere after ${Math.round(last)} ms`)
    }
    t.ok(proxy.cuts() >= 2, 'both streams hang')
    for (const url of [here, there]) t.equal(await verdict(url, live), 'live', 'the database is asked instead')
  },
)

test(
  'a server that is cut off from MongoDB answers 503, and afterwards refuses what ended in between',
  options,
  async (t) => {
    const { db, connection } = await freshDatabase(t)
    const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
    const here = await serverOn(t, connection)
    const there = await serverOn(t, { ...connection, uri: proxy.uri(db.databaseName) })
    const { username } = await signUp(here)
    const [{ token: ended }, { token: living }] = [await logIn(here, username), await logIn(here, username)]
    await delay(1_000)
    t.same([await verdict(there, ended), await verdict(there, living)], ['live', 'live'])
    proxy.disconnect()
    await logOut(here, ended)
    const [ofEnded, ofLiving] = await Promise.all([verdictsLater(there, ended), verdictsLater(there, living)])
    t.same([...ofEnded], ['unknown'], '503 for a session that may have ended')
    t.same([...ofLiving], ['unknown'])
    t.equal(await verdict(here, living), 'live', 'the other server is unaffected')
    proxy.reconnect()
    t.ok(await becomesLive(there, living))
    for (let n = 0; n < 50; n += 1) t.equal(await verdict(there, ended), 'ended')
  },
)

test('ended sessions while mongod hangs or is killed', {
  ...options,
  skip: process.platform !== 'linux',
}, async (t: Test) => {
  const dataDir = t.testdir()
  const { uri } = await startHere(t, dataDir)
  const connection = { uri, username: dbUser, password: 'first password' }
  const [here, there] = [await serverOn(t, connection), await serverOn(t, connection)]
  const { username } = await signUp(here)
  const { token: living } = await logIn(here, username)
  const signal = async (name: NodeJS.Signals) => {
    const [mongod] = (await processesWith(dataDir)).filter(({ program }) => !program.endsWith('sh'))
    if (!mongod) throw new Error('no mongod')
    process.kill(mongod.pid, name)
  }

  t.test('mongod hangs just after sessions have ended: no request is accepted, and they stay ended', async (t) => {
    const tokens = await Promise.all(Array.from({ length: 3 }, async () => (await logIn(here, username)).token))
    for (const token of [...tokens, living]) t.equal(await verdict(there, token), 'live')
    await Promise.all(tokens.map((token) => logOut(here, token)))
    await signal('SIGSTOP')
    try {
      const later = await Promise.all([living, ...tokens].map((token) => verdictsLater(there, token)))
      t.same([...(later[0] ?? [])], ['unknown'], 'the cache is stale')
      for (const verdicts of later.slice(1)) t.notOk(verdicts.has('live'))
    } finally {
      await signal('SIGCONT')
    }
    t.ok(await becomesLive(there, living))
    for (const token of tokens) for (const url of [here, there]) t.equal(await verdict(url, token), 'ended')
  })

  t.test('mongod is killed just after sessions have ended: they stay ended', async (t) => {
    const tokens = await Promise.all(Array.from({ length: 3 }, async () => (await logIn(here, username)).token))
    for (const token of [...tokens, living]) t.equal(await verdict(there, token), 'live')
    await Promise.all(tokens.map((token) => logOut(here, token)))
    await signal('SIGKILL')
    const seen = await Promise.all(tokens.map((token) => verdictsLater(there, token)))
    for (const verdicts of seen) t.notOk(verdicts.has('live'))
    t.ok(await becomesLive(there, living))
    for (const token of tokens) for (const url of [here, there]) t.equal(await verdict(url, token), 'ended')
  })
})
