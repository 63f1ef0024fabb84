import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { cuttingProxy } from '../database/fixtures/cutting-proxy.ts'
import { lineTo } from '../database/fixtures/line.ts'
import { processesWith } from '../database/fixtures/processes.ts'
import { username as dbUser, startHere } from '../embedded-mongod/fixtures/server.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase, makeClient, signUp } from '../helper.ts'
import { lastAlive, logIn, serverOn, verdict } from './servers.ts'

const options = { timeout: 120_000 }
const logOut = async (url: string, token: string) => {
  const headers = { cookie: `session=${token}` }
  const { statusCode } = await makeClient(url).delete('v1/session', { headers })
  if (statusCode !== 204) throw new Error(`logging out answered ${statusCode}`)
}
const comesAlive = async (url: string, token: string) =>
  eventually(async () => (await verdict(url, token)) === 'alive').then(() => true)

/** From a second after now on, for another: what a server makes of a token, asked every 50 ms. */
async function verdictsLater(url: string, token: string): Promise<Set<string>> {
  await delay(1_000)
  const asked: Promise<string>[] = []
  for (const until = performance.now() + 1_000; performance.now() < until; await delay(50)) {
    asked.push(verdict(url, token))
  }
  return new Set(await Promise.all(asked))
}

test('streams on which nothing comes any more: dead at once here, and within a second there', options, async (t) => {
  const { db, connection } = await freshDatabase(t)
  const line = await lineTo(t, Number(new URL(connection.uri).port))
  const proxy = await cuttingProxy(t, line.port)
  const uri = `mongodb://127.0.0.1:${proxy.port}/${db.databaseName}?directConnection=true`
  const [here, there] = [await serverOn(t, { ...connection, uri }), await serverOn(t, { ...connection, uri })]
  t.teardown(() => {
    // What nobody will answer must not be waited for.
    line.cut()
    line.mend()
  })
  const { username } = await signUp(here)
  const tokens = await Promise.all(Array.from({ length: 5 }, async () => (await logIn(here, username)).token))
  const { token: living } = await logIn(here, username)
  await delay(1_000)
  proxy.cut({ command: 'getMore', when: 'never', times: Number.POSITIVE_INFINITY })
  for (const token of tokens) {
    await logOut(here, token)
    const [atOnce, last] = await Promise.all([verdict(here, token), lastAlive(there, token)])
    t.equal(atOnce, 'dead')
    t.ok(last <= 1_000, `last alive elsewhere after ${Math.round(last)} ms`)
  }
  t.ok(proxy.cuts() >= 2, 'both streams hang')
  for (const url of [here, there]) t.equal(await verdict(url, living), 'alive', 'the database is asked instead')
})

test('a server that is cut off from MongoDB: 503, and then it knows what it missed', options, async (t) => {
  const { db, connection } = await freshDatabase(t)
  const line = await lineTo(t, Number(new URL(connection.uri).port))
  const here = await serverOn(t, connection)
  const there = await serverOn(t, { ...connection, uri: line.uri(db.databaseName) })
  const { username } = await signUp(here)
  const [{ token: ended }, { token: living }] = [await logIn(here, username), await logIn(here, username)]
  await delay(1_000)
  t.same([await verdict(there, ended), await verdict(there, living)], ['alive', 'alive'])
  line.cut()
  await logOut(here, ended)
  const [ofEnded, ofLiving] = await Promise.all([verdictsLater(there, ended), verdictsLater(there, living)])
  t.same([...ofEnded], ['unknown'], 'nobody is let in whose session may have ended')
  t.same([...ofLiving], ['unknown'])
  t.equal(await verdict(here, living), 'alive', 'the others go on')
  line.mend()
  t.ok(await comesAlive(there, living))
  for (let n = 0; n < 50; n += 1) t.equal(await verdict(there, ended), 'dead')
})

test('a mongod that hangs, or is killed', { ...options, skip: process.platform !== 'linux' }, async (t: Test) => {
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

  t.test('hangs just after sessions have ended: nobody is let in, and they stay dead', async (t) => {
    const tokens = await Promise.all(Array.from({ length: 3 }, async () => (await logIn(here, username)).token))
    for (const token of [...tokens, living]) t.equal(await verdict(there, token), 'alive')
    await Promise.all(tokens.map((token) => logOut(here, token)))
    await signal('SIGSTOP')
    try {
      const later = await Promise.all([living, ...tokens].map((token) => verdictsLater(there, token)))
      t.same([...(later[0] ?? [])], ['unknown'], 'what was known before is too old')
      for (const verdicts of later.slice(1)) t.notOk(verdicts.has('alive'))
    } finally {
      await signal('SIGCONT')
    }
    t.ok(await comesAlive(there, living))
    for (const token of tokens) for (const url of [here, there]) t.equal(await verdict(url, token), 'dead')
  })

  t.test('is killed just after sessions have ended: they stay dead', async (t) => {
    const tokens = await Promise.all(Array.from({ length: 3 }, async () => (await logIn(here, username)).token))
    for (const token of [...tokens, living]) t.equal(await verdict(there, token), 'alive')
    await Promise.all(tokens.map((token) => logOut(here, token)))
    await signal('SIGKILL')
    const seen = await Promise.all(tokens.map((token) => verdictsLater(there, token)))
    for (const verdicts of seen) t.notOk(verdicts.has('alive'))
    t.ok(await comesAlive(there, living))
    for (const token of tokens) for (const url of [here, there]) t.equal(await verdict(url, token), 'dead')
  })
})
