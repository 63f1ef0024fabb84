import { setTimeout as delay } from 'node:timers/promises'
import type { Db } from 'mongodb'
import t, { type Test } from 'tap'
import { eventually } from '../eventually.ts'
import { makeClient, signUp } from '../helper.ts'
import { clocks } from './clocks.ts'
import { lastLiveMs, logIn, twoServers, verdict } from './servers.ts'

/** The profiled reads during the work, by collection; those of the feed are left out. */
async function readsDuring(db: Db, work: () => Promise<unknown>): Promise<Record<string, number>> {
  await db.command({ profile: 2 })
  await db.collection('start').findOne()
  await work()
  await db.command({ profile: 0 })
  type Entry = { ns: string; op: string; command?: { pipeline?: { $unionWith?: { coll: string } }[] } }
  const profile = db.collection<Entry>('system.profile')
  const reads: Record<string, number> = {}
  for (const { ns, op, command } of await profile.find().toArray()) {
    const name = ns.slice(db.databaseName.length + 1)
    if (['insert', 'update', 'remove'].includes(op) || (name === 'revocations' && op === 'getmore')) continue
    const united = command?.pipeline?.flatMap(({ $unionWith }) => $unionWith?.coll ?? []) ?? []
    for (const read of [name, ...united]) reads[read] = (reads[read] ?? 0) + 1
  }
  await profile.drop()
  // The profile is a ring of 1 MB.
  if (reads.start !== 1) throw new Error('the profile is incomplete')
  return reads
}

/** Kills the revocation streams of `count` servers, once all of them have one. */
async function killStreams(db: Db, count: number): Promise<void> {
  const filter = { ns: `${db.databaseName}.revocations`, 'cursor.cursorId': { $exists: true } }
  const stages = [{ $currentOp: { idleCursors: true } }, { $match: filter }, { $group: { _id: '$cursor.cursorId' } }]
  let cursors: object[] = []
  const areOpen = async () => {
    // Without promoteLongs: false, a small id would become a double, which killCursors rejects.
    const found = db.client.db('admin').aggregate<{ _id: object }>(stages, { promoteLongs: false })
    cursors = (await found.toArray()).map(({ _id }) => _id)
    return cursors.length === count
  }
  await eventually(areOpen)
  // Until each stream has delivered a heartbeat.
  await delay(400)
  const { cursorsKilled } = await db.command({ killCursors: 'revocations', cursors })
  if (cursorsKilled.length !== count) throw new Error(`${cursorsKilled.length} were killed`)
}

t.test('authentication without the database', { timeout: 120_000 }, async (t) => {
  const { forward } = clocks(t)
  const {
    db,
    urls: [here, there],
  } = await twoServers(t)
  const { client, username } = await signUp(there)
  const post = (await client.post<{ id: string }>('v1/posts', { json: { text: 'Read me' } })).body.id
  const { token } = await logIn(there, username)
  const signedIn = makeClient(there).extend({ headers: { cookie: `session=${token}` } })

  /** Sends five different requests with a session, `times` times. */
  async function sendRequests(times: number) {
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
  /** Retries: on a busy machine a heartbeat may be late, and then the database is asked. */
  async function expectNoSessionReads(t: Test, times = 5) {
    let reads: Record<string, number> = {}
    const isUnread = async () => {
      reads = await readsDuring(db, () => sendRequests(times))
      t.ok((reads.accounts ?? 0) >= times, 'the profile contains the other reads')
      return reads.sessions === undefined && reads.revocations === undefined
    }
    await t.resolves(eventually(isUnread), 'no read of sessions or revocations', { reads })
  }

  t.test('100 requests with a session cause no read of sessions or revocations', (t) => expectNoSessionReads(t, 20))

  t.test('GET /v1/session reads the session from the database', async (t) => {
    const reads = await readsDuring(db, () => signedIn.get('v1/session'))
    t.ok((reads.sessions ?? 0) >= 1)
  })

  t.test(
    'with streams killed repeatedly, sessions end within a second, and then requests need no reads again',
    async (t) => {
      const ended: string[] = []
      for (let round = 0; round < 3; round += 1) {
        const { token } = await logIn(here, username)
        t.equal(await verdict(there, token), 'live')
        await killStreams(db, 2)
        await makeClient(here).delete('v1/session', { headers: { cookie: `session=${token}` } })
        const [atOnce, last] = await Promise.all([verdict(here, token), lastLiveMs(there, token)])
        t.equal(atOnce, 'ended')
        t.ok(last <= 1_000, `last accepted elsewhere after ${Math.round(last)} ms`)
        ended.push(token)
      }
      await expectNoSessionReads(t)
      for (const url of [here, there]) for (const token of ended) t.equal(await verdict(url, token), 'ended')
    },
  )

  t.test('after ten idle minutes the first request reads its revocation, later ones do not', async (t) => {
    forward(600_000)
    await delay(700)
    const reads = await readsDuring(db, () => verdict(there, token))
    t.equal(reads.revocations, 1)
    t.equal(reads.sessions, undefined)
    await expectNoSessionReads(t)
  })
})
