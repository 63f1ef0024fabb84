import { setTimeout as delay } from 'node:timers/promises'
import { UUID } from 'mongodb'
import t, { type Test } from 'tap'
import { freshDatabase, makeClient, signUp } from '../helper.ts'
import { logIn, serverOn, verdict } from './servers.ts'

const many = 5_000

t.test('a server that starts after sessions have ended', { timeout: 120_000 }, async (t) => {
  const { db, connection } = await freshDatabase(t)
  const first = await serverOn(t, connection)
  const { username } = await signUp(first)
  const { token: living } = await logIn(first, username)
  /** Their sessions have ended, and everybody has to know it. */
  const ended: string[] = []
  const endOne = async () => {
    const { token } = await logIn(first, username)
    await makeClient(first).delete('v1/session', { headers: { cookie: `session=${token}` } })
    return token
  }

  /** A server that has just started: before it hears of what ends, while it begins to, and after. */
  async function expectRight(t: Test) {
    const url = await serverOn(t, connection)
    const verdicts = { ended: new Set<string>(), living: new Set<string>() }
    for (const until = performance.now() + 3_000; performance.now() < until; await delay(10)) {
      for (const token of ended) verdicts.ended.add(await verdict(url, token))
      verdicts.living.add(await verdict(url, living))
    }
    t.same([[...verdicts.ended], [...verdicts.living]], [['dead'], ['alive']])
  }

  t.test(`finds them dead from its first request on, among ${many} others`, async (t) => {
    const revocations = db.collection<{ _id: UUID; until: Date }>('revocations')
    ended.push(await endOne())
    // Some before and some after them in the order in which they are forgotten.
    for (const life of [900_000, 980_000]) {
      const until = new Date(Date.now() + life)
      await revocations.insertMany(Array.from({ length: many / 2 }, () => ({ _id: new UUID(), until })))
      ended.push(await endOne())
    }
    await expectRight(t)
  })

  t.test('and those that end while it starts, within a second', async (t) => {
    const judging = [expectRight(t), expectRight(t)]
    for (let n = 0; n < 20; n += 1) {
      const token = await endOne()
      setTimeout(() => ended.push(token), 1_000)
    }
    await Promise.all(judging)
    await delay(1_000)
    await expectRight(t)
  })
})
