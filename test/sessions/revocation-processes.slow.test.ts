import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { signUp } from '../helper.ts'
import { type Pinned, pinnedTo } from '../processes/api-processes.ts'
import { pidsOf, startCluster } from '../processes/cluster.ts'
import { lastAlive, logIn, verdict } from './servers.ts'

const options = { skip: process.platform === 'linux' ? false : 'looks into /proc', timeout: 180_000 }

/** A server in several processes, clients of each of them, and somebody who logs in again and again. */
async function clusterWithClients(t: Test, processes: number, each: number) {
  const { server, url } = await startCluster(t, processes)
  const clients = await pinnedTo(t, url, await pidsOf(server, 'api'), each)
  const { username } = await signUp(url)
  return { clients, all: [...clients.values()].flat(), begin: async () => (await logIn(url, username)).token }
}

const logOut = ({ client }: Pinned, token: string) =>
  client.delete('v1/session', { headers: { cookie: `session=${token}` } })

/** Logs out at each of the processes in turn, and watches it and all others. */
async function logOutEverywhere(t: Test, clients: ReadonlyMap<number, Pinned[]>, begin: () => Promise<string>) {
  const firsts = [...clients.values()].flatMap(([first]) => first ?? [])
  const slowest: number[] = []
  for (const own of firsts) {
    const token = await begin()
    for (const { client } of firsts) t.equal(await verdict(client, token), 'alive')
    t.equal((await logOut(own, token)).statusCode, 204)
    const others = firsts.filter((other) => other !== own)
    const [atOnce, ...times] = await Promise.all([
      verdict(own.client, token),
      ...others.map(({ client }) => lastAlive(client, token)),
    ])
    t.equal(atOnce, 'dead')
    slowest.push(Math.max(...times))
  }
  t.ok(Math.max(...slowest) <= 1_000, `last alive elsewhere after ${slowest.map(Math.round)} ms`)
}

test('two processes', options, async (t) => {
  const { clients, all, begin } = await clusterWithClients(t, 2, 10)

  t.test('who logs out at one is dead at once there, and within a second at the other', (t) =>
    logOutEverywhere(t, clients, begin),
  )

  t.test('one is frozen, and wakes after sessions have ended: none of them lives for a moment', async (t) => {
    const [[frozen, waiters] = [0, []], [, [judge]] = [0, []]] = clients
    if (!judge) throw new Error('nobody asks')
    for (let round = 0; round < 4; round += 1) {
      const [living, ...tokens] = [await begin(), ...(await Promise.all(waiters.map(begin)))]
      const ask = (from: number, to: number) =>
        Promise.all(waiters.slice(from, to).map(({ client }, n) => verdict(client, tokens[n + from] ?? '')))
      t.same(new Set(await ask(0, 10)), new Set(['alive']))
      process.kill(frozen, 'SIGSTOP')
      try {
        for (const token of tokens) t.equal((await logOut(judge, token)).statusCode, 204)
        // Half of them wait in its sockets when it wakes, the others come the moment after.
        const waiting = ask(0, 5)
        await delay(1_500)
        process.kill(frozen, 'SIGCONT')
        t.same(new Set(await ask(5, 10)), new Set(['dead']))
        t.same(new Set(await waiting), new Set(['dead']))
      } finally {
        process.kill(frozen, 'SIGCONT')
      }
      for (let again = 0; again < 5; again += 1) t.same(new Set(await ask(0, 10)), new Set(['dead']))
      for (const { client } of waiters) t.equal(await verdict(client, living), 'alive')
    }
  })

  t.test('each client was served by one process all along', async (t) => {
    t.ok(all.every((one) => one.isSame()))
  })
})

test('four processes: dead at once where it ended, and within a second at the others', options, async (t) => {
  const { clients, all, begin } = await clusterWithClients(t, 4, 1)
  await logOutEverywhere(t, clients, begin)
  t.ok(all.every((one) => one.isSame()))
})
