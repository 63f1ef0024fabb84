import { setTimeout as delay } from 'node:timers/promises'
import type { Db } from 'mongodb'
import t, { type Test } from 'tap'
import { eventually } from '../eventually.ts'
import { makeClient, signUp } from '../helper.ts'
import { clocks } from './clocks.ts'
import { lastAlive, logIn, twoServers, verdict } from './servers.ts'

/** The reads that MongoDB profiled meanwhile, by collection; the feed's own are left out. */
async function readsDuring(db: Db, work: () => Promise<unknown>): Promise<Record<string, number>> {
  await db.command({ profile: 2 })
  await db.collection('beginning').findOne()
  await work()
  await db.command({ profile: 0 })
  const profile = db.collection<{ ns: string; op: string }>('system.profile')
  const reads: Record<string, number> = {}
  for (const { ns, op } of await profile.find().toArray()) {
    const name = ns.slice(db.databaseName.length + 1)
    if (['insert', 'update', 'remove'].includes(op) || (name === 'revocations' && op === 'getmore')) continue
    reads[name] = (reads[name] ?? 0) + 1
  }
  await profile.drop()
  // The profile is a ring of 1 MB.
  if (reads.beginning !== 1) throw new Error('not all of it is left')
  return reads
}

/** Ends the change streams by which so many servers hear of revocations, once all have one. */
async function killStreams(db: Db, count: number): Promise<void> {
  const filter = { ns: `${db.databaseName}.revocations`, 'cursor.cursorId': { $exists: true } }
  const stages = [{ $currentOp: { idleCursors: true } }, { $match: filter }, { $group: { _id: '$cursor.cursorId' } }]
  let cursors: object[] = []
  const areThere = async () => {
    // A short id would become a double, which is none.
    const found = db.client.db('admin').aggregate<{ _id: object }>(stages, { promoteLongs: false })
    cursors = (await found.toArray()).map(({ _id }) => _id)
    return cursors.length === count
  }
  await eventually(areThere)
  // Until a sign of life has come by each.
  await delay(400)
  const { cursorsKilled } = await db.command({ killCursors: 'revocations', cursors })
  if (cursorsKilled.length !== count) throw new Error(`${cursorsKilled.length} were killed`)
}

t.test('who asks is known without the database', { timeout: 120_000 }, async (t) => {
  const { forward } = clocks(t)
  const {
    db,
    urls: [here, there],
  } = await twoServers(t)
  const { client, username } = await signUp(there)
  const post = (await client.post<{ id: string }>('v1/posts', { json: { text: 'Read me' } })).body.id
  const { token } = await logIn(there, username)
  const signedIn = makeClient(there).extend({ headers: { cookie: `session=${token}` } })

  /** Five requests of somebody who is signed in, so many times. */
  async function ask(times: number) {
    const requests = [
      () => signedIn.get('v1/account'),
      () => signedIn.get(`v1/posts/${post}`),
      () => signedIn.get('v1/posts'),
      () => signedIn.put(`v1/posts/${post}/reaction`, { json: { value: 'like' } }),
      () => signedIn.post('v1/posts', { json: { text: 'Written' } }),
    ]
    for (let n = 0; n < times; n += 1) {
      const statuses = (await Promise.all(requests.map((request) => request()))).map(({ statusCode }) => statusCode)
      if (statuses.some((status) => status >= 300)) throw new Error(`${statuses}`)
    }
  }
  /** On a busy machine a sign of life may come late now and then, and the database is asked. */
  async function expectSilence(t: Test, times = 5) {
    let reads: Record<string, number> = {}
    const silent = async () => {
      reads = await readsDuring(db, () => ask(times))
      t.ok((reads.accounts ?? 0) >= times, 'the profiler sees what is read')
      return reads.sessions === undefined && reads.revocations === undefined
    }
    await t.resolves(eventually(silent), 'nothing is read of sessions and revocations', { reads })
  }

  t.test('a hundred requests of members and readers: no read of sessions or revocations', (t) => expectSilence(t, 20))

  t.test('as it is where the session itself is asked for', async (t) => {
    const reads = await readsDuring(db, () => signedIn.get('v1/session'))
    t.ok((reads.sessions ?? 0) >= 1)
  })

  t.test('MongoDB kills the stream again and again: sessions die in time, and then all is as before', async (t) => {
    const ended: string[] = []
    for (let round = 0; round < 3; round += 1) {
      const { token } = await logIn(here, username)
      t.equal(await verdict(there, token), 'alive')
      await killStreams(db, 2)
      await makeClient(here).delete('v1/session', { headers: { cookie: `session=${token}` } })
      const [atOnce, last] = await Promise.all([verdict(here, token), lastAlive(there, token)])
      t.equal(atOnce, 'dead')
      t.ok(last <= 1_000, `last alive elsewhere after ${Math.round(last)} ms`)
      ended.push(token)
    }
    await expectSilence(t)
    for (const url of [here, there]) for (const token of ended) t.equal(await verdict(url, token), 'dead')
  })

  t.test('and after ten minutes in which nobody came: at first it is asked, and then no longer', async (t) => {
    forward(600_000)
    await delay(700)
    const reads = await readsDuring(db, () => verdict(there, token))
    t.equal(reads.sessions, 1)
    await expectSilence(t)
  })
})
