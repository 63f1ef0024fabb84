import { test } from 'tap'
import { eventually } from '../eventually.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase, signUp } from '../helper.ts'
import { logIn, serverOn } from './servers.ts'
import { steadyTraffic } from './steady-traffic.ts'

/** They send 400 requests a second. */
const clients = 200

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
    const users = await Promise.all(Array.from({ length: 4 }, () => signUp(near)))
    const tokens: string[] = []
    for (const { username } of users) {
      for (let n = 0; n < 5; n += 1) tokens.push((await logIn(near, username)).token)
    }
    const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
    proxy.delayCommands(commandMs)
    proxy.delayReplies(replyMs)
    const far = await serverOn(t, { ...connection, uri: proxy.uri(db.databaseName) })
    const answered = steadyTraffic(t, far, tokens, clients)
    await t.resolves(
      eventually(() => {
        const { 200: succeeded = 0, ...failed } = answered(3_000)
        return succeeded >= clients && Object.keys(failed).length === 0
      }),
      'three seconds in which all succeed',
    )
    t.comment(answered(Number.POSITIVE_INFINITY))
  })
}
