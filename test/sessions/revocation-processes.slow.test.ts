import { setTimeout as delay } from 'node:timers/promises'
import { type Test, test } from 'tap'
import { signUp } from '../helper.ts'
import { type Pinned, pinnedTo } from '../processes/api-processes.ts'
import { pidsOf, startCluster } from '../processes/cluster.ts'
import { lastLiveMs, logIn, verdict } from './servers.ts'

const options = { skip: process.platform === 'linux' ? false : 'looks into /proc', timeout: 180_000 }

/** A cluster, clients of each API process, and an account that logs in repeatedly. */
async function clusterWithClients(t: Test, processes: number, each: number) {
  const { server, url } = await startCluster(t, processes)
  const clients = await pinnedTo(t, url, await pidsOf(server, 'api'), each)
  const { username } = await signUp(url)
  return { clients, all: [...clients.values()].flat(), begin: async () => (await logIn(url, username)).token }
}

const logOut = ({ client }: Pinned, token: string) =>
  client.delete('v1/session', { headers: { cookie: `session=${token}` } })

/** Logs out at each process, and measures how long the others accept the session. */
async function logOutEverywhere(t: Test, clients: ReadonlyMap<number, Pinned[]>, begin: () => Promise<string>) {
  const firsts = [...clients.values()].flatMap(([first]) => first ?? [])
  const slowest: number[] = []
  for (const own of firsts) {
    const token = await begin()
    for (const { client } of firsts) t.equal(await verdict(client, token), 'live')
    t.equal((await logOut(own, token)).statusCode, 204)
    const others = firsts.filter((other) => other !== own)
    const [atOnce, ...times] = await Promise.all([
      verdict(own.client, token),
      ...others.map(({ client }) => lastLiveMs(client, token)),
    ])
    t.equal(atOnce, 'ended')
    slowest.push(Math.max(...times))
  }
  t.ok(Math.max(...slowest) <= 1_000, `last accepted elsewhere after ${slowest.map(Math.round)} ms`)
}

test('sessions that end in a cluster of two processes', options, async (t) => {
  const { clients, all, begin } = await clusterWithClients(t, 2, 10)

  t.test('a session is refused at once by the process that ended it, and within a second by the other', (t) =>
    logOutEverywhere(t, clients, begin),
  )

  t.test('a process that was suspended while sessions ended accepts none of them when it resumes', async (t) => {
    const [[frozen, waiters] = [0, []], [, [other]] = [0, []]] = clients
    if (!other) throw new Error('no client of the second process')
    for (let round = 0; round < 4; round += 1) {
      const [living, ...tokens] = [await begin(), ...(await Promise.all(waiters.map(begin)))]
      const ask = (from: number, to: number) =>
        Promise.all(waiters.slice(from, to).map(({ client }, n) => verdict(client, tokens[n + from] ?? '')))
      t.same(new Set(await ask(0, 10)), new Set(['live']))
      process.kill(frozen, 'SIGSTOP')
      const resumesAt = performance.now() + 1_300
      try {
        // Within the watchdog's two seconds.
        const statuses = await Promise.all(tokens.map(async (token) => (await logOut(other, token)).statusCode))
        t.same(new Set(statuses), new Set([204]))
        // Half of the requests wait in its sockets when it resumes, the others are sent right after.
        const waiting = ask(0, 5)
        await delay(Math.max(100, resumesAt - performance.now()))
        process.kill(frozen, 'SIGCONT')
        t.same(new Set(await ask(5, 10)), new Set(['ended']))
        t.same(new Set(await waiting), new Set(['ended']))
      } finally {
        process.kill(frozen, 'SIGCONT')
      }
      for (let again = 0; again < 5; again += 1) t.same(new Set(await ask(0, 10)), new Set(['ended']))
      for (const { client } of waiters) t.equal(await verdict(client, living), 'live')
    }
  })

  t.test('each client was served by the same process throughout', async (t) => {
    t.ok(all.every((client) => client.isSame()))
  })
})

test(
  'with four processes, a session is refused at once where it ended and within a second elsewhere',
  options,
  async (t) => {
    const { clients, all, begin } = await clusterWithClients(t, 4, 1)
    await logOutEverywhere(t, clients, begin)
    t.ok(all.every((client) => client.isSame()))
  },
)
