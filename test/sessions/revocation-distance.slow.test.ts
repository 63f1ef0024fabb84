import { test } from 'tap'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase, signUp } from '../helper.ts'
import { logIn, serverOn } from './servers.ts'
import { steadyTraffic } from './steady-traffic.ts'

const requestsPerSecond = 400

type Distance = { commandMs: number; replyMs: number }

/** Names of the ways to MongoDB, and how much longer a command and its reply take. */
const distances: Record<string, Distance> = {
  'no distance': { commandMs: 0, replyMs: 0 },
  'a round trip of 20 ms': { commandMs: 10, replyMs: 10 },
  'a round trip of 100 ms': { commandMs: 50, replyMs: 50 },
  'a mongod that takes 100 ms for each operation': { commandMs: 100, replyMs: 0 },
}

for (const [name, { commandMs, replyMs }] of Object.entries(distances)) {
  test(`a server that starts under signed-in reads, with ${name}, comes to answer all of them`, {
    timeout: 120_000,
  }, async (t) => {
    const { db, connection } = await freshDatabase(t)
    const near = await serverOn(t, connection)
    const users = await Promise.all(Array.from({ length: 40 }, () => signUp(near)))
    const tokens = await Promise.all(users.map(async ({ username }) => (await logIn(near, username)).token))
    const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
    proxy.delayCommands(commandMs)
    proxy.delayReplies(replyMs)
    const far = await serverOn(t, { ...connection, uri: proxy.uri(db.databaseName) })
    const traffic = steadyTraffic(t, far, tokens, requestsPerSecond)
    const startedAt = performance.now()
    await t.resolves(
      eventually(() => {
        const statuses = traffic.statuses(2_000)
        return Object.keys(statuses).join() === '200' && (statuses[200] ?? 0) > requestsPerSecond
      }),
      'two seconds in which all succeed',
    )
    t.comment(`after ${Math.round(performance.now() - startedAt)} ms`, traffic.statuses())
  })
}
