import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { makeClient } from '../helper.ts'
import { pinnedTo } from './api-processes.ts'
import { pidsOf, signUpUsers, startCluster } from './cluster.ts'
import { expectExactState, runContention } from './contention-load.ts'
import { fakeWorkers } from './fake-workers.ts'

t.test(
  'a worker without a sign of life for 2 s is killed and replaced; the next one gets twice the time',
  async (t) => {
    let hanging = 1
    const { started, lines, replaced, until, slot } = fakeWorkers(t, () => hanging > 0, true)
    const from = performance.now()
    await until(2)
    t.ok((started[1]?.at ?? 0) - from >= 1_900)
    await until(3)
    hanging = 0
    t.ok((started[2]?.at ?? 0) - (started[1]?.at ?? 0) >= 3_900)
    t.same(replaced, ['silent', 'silent'])
    t.match(JSON.parse(lines[0] ?? ''), {
      msg: 'worker gives no sign of life: killing it',
      role: 'writer',
      workerPid: 1,
    })
    t.same(started[2]?.orphanedSessions, ['session 1', 'session 2'])
    await delay(3_000)
    t.equal(started.length, 3, 'a worker with signs of life is kept')
    await slot.stop()
  },
)

t.test('a process that was itself stopped does not take its workers for hanging', async (t) => {
  const { started, slot } = fakeWorkers(t)
  for (let n = 0; n < 3; n += 1) {
    // Blocks this event loop for longer than the limit.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500)
    await delay(150)
  }
  t.equal(started.length, 1)
  await slot.stop()
})

/** Asks whether the server is ready until `enough()`, and counts the answers. */
async function probeReadiness(url: string, enough: () => boolean) {
  const counted: Record<string, number> = {}
  for (; !enough(); await delay(50)) {
    const { body } = await makeClient(url).get<{ detail?: string }>('health/ready')
    const answer = body.detail ?? 'ready'
    counted[answer] = (counted[answer] ?? 0) + 1
  }
  return counted
}

t.test(
  'a stopped writer process under load is replaced, and every acknowledged write exists once',
  { timeout: 240_000 },
  async (t) => {
    const { server, url, db } = await startCluster(t, 2)
    const users = await signUpUsers(url, 16)
    const newPost = async () =>
      (await users[0]?.client.post<{ id?: string }>('v1/posts', { json: { text: 'Hot' } }))?.body.id ?? ''
    const post = await newPost()
    let enough = false
    const load = runContention(users, post, () => enough)
    const probed = probeReadiness(url, () => enough)
    for (let round = 1; round <= 2; round += 1) {
      await delay(500)
      const [stopped = 0] = await pidsOf(server, 'writer')
      process.kill(stopped, 'SIGSTOP')
      // The test never continues it: the server replaces it.
      await eventually(async () => {
        const [current] = await pidsOf(server, 'writer')
        return current !== undefined && current !== stopped
      })
      await eventually(async () => (await newPost()) !== '')
    }
    enough = true
    const { acknowledged, statuses, slowest } = await load
    t.comment(statuses, `the slowest took ${Math.round(slowest)} ms`)
    t.match(server.out, /worker gives no sign of life: killing it\s+role: "writer"/)
    const details = await probed
    t.comment(details)
    t.equal((await makeClient(url).get('health/ready')).statusCode, 200)
    await expectExactState(t, db, { users, acknowledged, post })
  },
)

t.test('a stopped API process is replaced, and its clients are served by another', { timeout: 240_000 }, async (t) => {
  const { server, url } = await startCluster(t, 2)
  const pids = await pidsOf(server, 'api')
  const [stopped = 0] = pids
  const [pinned] = (await pinnedTo(t, url, pids)).get(stopped) ?? []
  if (!pinned) throw new Error('no client of the process')
  process.kill(stopped, 'SIGSTOP')
  await t.rejects(pinned.client.get('v1/posts'), { code: 'ECONNRESET' }, 'its connections end with it')
  await eventually(async () => {
    const now = await pidsOf(server, 'api')
    return now.length === 2 && !now.includes(stopped)
  })
  for (let n = 0; n < 4; n += 1) t.equal((await makeClient(url).get('v1/posts')).statusCode, 200)
})
