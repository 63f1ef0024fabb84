import { setTimeout as delay } from 'node:timers/promises'
import { UUID } from 'mongodb'
import t, { type Test } from 'tap'
import { freshDatabase, makeClient, signUp } from '../helper.ts'
import { logIn, serverOn, verdict } from './servers.ts'

const otherRevocations = 5_000

t.test('a server that starts after sessions have ended', { timeout: 120_000 }, async (t) => {
  const { db, connection } = await freshDatabase(t)
  const first = await serverOn(t, connection)
  const { username } = await signUp(first)
  const { token: living } = await logIn(first, username)
  /** Tokens of ended sessions. */
  const ended: string[] = []
  const endOne = async () => {
    const { token } = await logIn(first, username)
    await makeClient(first).delete('v1/session', { headers: { cookie: `session=${token}` } })
    return token
  }

  /** Starts a server, and checks its verdicts before, while and after its cache becomes current. */
  async function expectRightVerdicts(t: Test) {
    const url = await serverOn(t, connection)
    const verdicts = { ended: new Set<string>(), living: new Set<string>() }
    for (const until = performance.now() + 3_000; performance.now() < until; await delay(10)) {
      for (const token of ended) verdicts.ended.add(await verdict(url, token))
      verdicts.living.add(await verdict(url, living))
    }
    t.same([[...verdicts.ended], [...verdicts.living]], [['ended'], ['live']])
  }

  t.test(
    `a new server refuses ended sessions from its first request on, with ${otherRevocations} other revocations`,
    async (t) => {
      const revocations = db.collection<{ _id: UUID; until: Date }>('revocations')
      ended.push(await endOne())
      // Some that expire before and some that expire after the others.
      for (const lifetimeMs of [900_000, 980_000]) {
        const until = new Date(Date.now() + lifetimeMs)
        await revocations.insertMany(Array.from({ length: otherRevocations / 2 }, () => ({ _id: new UUID(), until })))
        ended.push(await endOne())
      }
      await expectRightVerdicts(t)
    },
  )

  t.test('a new server refuses sessions that end while it starts within a second', async (t) => {
    const checks = [expectRightVerdicts(t), expectRightVerdicts(t)]
    for (let n = 0; n < 20; n += 1) {
      const token = await endOne()
      setTimeout(() => ended.push(token), 1_000)
    }
    await Promise.all(checks)
    await delay(1_000)
    await expectRightVerdicts(t)
  })
})
