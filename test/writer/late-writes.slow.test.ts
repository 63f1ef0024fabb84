import type { UUID } from 'mongodb'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { Effect } from '../../bot/chaos/fault-proxy.ts'
import { buildApp } from '../../src/app.ts'
import { toUuid } from '../../src/database/ids.ts'
import { cuttableProxy } from '../fixtures/cuttable-proxy.ts'
import { freshDatabase, makeClient, retry503, signUp, testConfig } from '../helper.ts'
import { serverOn, sharedKey } from '../sessions/servers.ts'

type Client = ReturnType<typeof makeClient>
type Answer = { statusCode: number; headers: object; body: unknown }

/**
 * Two servers on one database, with production's time-outs: the connections of the first pass through a proxy. Ann is
 * logged in at both, under one session.
 */
async function twoServers(t: Test) {
  const { db, connection } = await freshDatabase(t)
  const proxy = await cuttableProxy(t, Number(new URL(connection.uri).port))
  const distant = { ...connection, uri: proxy.uri(db.databaseName) }
  const app = await buildApp(await testConfig(distant, sharedKey), distant, pino({ level: 'silent' }))
  const here = await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const there = await serverOn(t, connection)
  const ann = await signUp(here)
  const bob = await signUp(here)
  const { id } = (await makeClient(there).get<{ id: string }>(`v1/accounts/${ann.username}`)).body
  const headers = { cookie: await ann.client.jar.getCookieString(here) }
  const direct: Client = Object.assign(makeClient(there).extend({ headers }), { jar: ann.client.jar })
  const post = (await direct.post<{ id: string }>('v1/posts', { json: { text: 'Post' } })).body.id
  // Connections, the writer's row and the shares of the limits exist before the fault.
  await ann.client.put(`v1/accounts/${bob.username}/follow`)
  await ann.client.delete(`v1/accounts/${bob.username}/follow`)

  /** Resolves when no transaction holds what Ann's writes write: a late one has been committed or aborted. */
  const settled = async () => {
    for (const [name, _id] of [
      ['accountCounts', id],
      ['accounts', id],
      ['posts', post],
    ] as const) {
      await db.collection<{ _id: UUID }>(name).updateOne({ _id: toUuid(_id) }, { $inc: { revision: 1 } })
    }
  }
  return { ann: ann.client, direct, bob: bob.username, post, proxy, settled }
}

type Scene = Awaited<ReturnType<typeof twoServers>>

/** A write that gets no answer from MongoDB, the newer one that undoes it, and what the newer one leaves. */
const kinds: Record<
  string,
  {
    late(scene: Scene): PromiseLike<Answer>
    newer(scene: Scene): PromiseLike<Answer>
    path(scene: Scene): string
    before: object
  }
> = {
  follow: {
    late: ({ ann, bob }) => ann.put(`v1/accounts/${bob}/follow`),
    newer: ({ direct, bob }) => direct.delete(`v1/accounts/${bob}/follow`),
    path: ({ bob }) => `v1/accounts/${bob}`,
    before: { viewer: { following: false }, counts: { followers: 0 } },
  },
  'profile edit': {
    late: ({ ann }) => ann.patch('v1/account', { json: { bio: 'late' } }),
    newer: ({ direct }) => direct.patch('v1/account', { json: { bio: '' } }),
    path: () => 'v1/account',
    before: { bio: '' },
  },
  like: {
    late: ({ ann, post }) => ann.put(`v1/posts/${post}/reaction`, { json: { value: 'like' } }),
    newer: ({ direct, post }) => direct.delete(`v1/posts/${post}/reaction`),
    path: ({ post }) => `v1/posts/${post}`,
    before: { viewer: { reaction: null }, counts: { likes: 0 } },
  },
  'post edit': {
    late: ({ ann, post }) => ann.patch(`v1/posts/${post}`, { json: { text: 'late' } }),
    newer: ({ direct, post }) => direct.patch(`v1/posts/${post}`, { json: { text: 'Post' } }),
    path: ({ post }) => `v1/posts/${post}`,
    before: { text: 'Post' },
  },
}

type Kind = (typeof kinds)[string]

/** After the late write's answer: the newer one is acknowledged, and nothing brings the late one back. */
async function expectNewerStands(t: Test, scene: Scene, { newer, path, before }: Kind): Promise<void> {
  t.match((await retry503(() => newer(scene))).statusCode, /^20[04]$/, 'the newer one is acknowledged')
  await scene.settled()
  t.match((await scene.direct.get(path(scene))).body, before, 'and stands')
}

const wasNotTried = { statusCode: 503, headers: { 'retry-after': /^\d+$/ }, body: { code: 'database-unavailable' } }

/** While every commit of the first server meets a fault: outcome-unknown, unless MongoDB has ended the transaction. */
async function expectRefusal(t: Test, { proxy }: Scene, effect: Effect, send: () => PromiseLike<Answer>) {
  const fault = proxy.arm({ command: 'commitTransaction', effect, times: Number.POSITIVE_INFINITY })
  const answer = await send()
  t.ok(fault.happened() > 0, 'a commit met the fault')
  fault.disarm()
  t.match(answer, { statusCode: 503, body: { code: /^(outcome-unknown|database-unavailable)$/ } })
  return answer
}

t.test('a write that was not acknowledged never undoes a newer one', { timeout: 460_000 }, async (t) => {
  for (const [name, kind] of Object.entries(kinds)) {
    t.test(`${name}, the commits reach MongoDB 6 s late`, async (t) => {
      const scene = await twoServers(t)
      await expectRefusal(t, scene, { holdMs: 6_000 }, () => kind.late(scene))
      await expectNewerStands(t, scene, kind)
    })
  }

  for (const name of ['follow', 'profile edit']) {
    const kind = kinds[name] as Kind // both are above
    t.test(`${name}, the commits are lost, and perhaps sent again later`, async (t) => {
      const scene = await twoServers(t)
      await expectRefusal(t, scene, 'drop', () => kind.late(scene))
      await expectNewerStands(t, scene, kind)
    })

    t.test(`${name}, each answer of MongoDB 1.05 s late`, async (t) => {
      const scene = await twoServers(t)
      scene.proxy.delayReplies(1_050)
      const { statusCode } = await kind.late(scene)
      scene.proxy.delayReplies(0)
      t.comment(`the late one was answered ${statusCode}`)
      await expectNewerStands(t, scene, kind)
    })
  }

  t.test('a post whose commits are late: Retry-After with an Idempotency-Key, and a repeat finds it', async (t) => {
    const scene = await twoServers(t)
    const json = { text: 'Once' }
    const headers = { 'idempotency-key': 'once' }
    const post = () => scene.ann.post('v1/posts', { json, headers })
    t.match(await expectRefusal(t, scene, { holdMs: 6_000 }, post), { headers: { 'retry-after': /^\d+$/ } })
    t.equal((await retry503(post)).statusCode, 201)
    const { items } = (await scene.direct.get<{ items: { text: string }[] }>('v1/posts')).body
    t.equal(items.filter(({ text }) => text === json.text).length, 1)
  })
})

t.test('a write that was answered database-unavailable is never applied', { timeout: 240_000 }, async (t) => {
  // So late that no commit begins in time, however many queries the write needs.
  for (const [name, delayMs] of [
    ['follow', 1_050],
    ['like', 2_000],
    ['post edit', 2_000],
    ['profile edit', 4_600],
  ] as const) {
    const kind = kinds[name] as Kind // all are above
    t.test(`${name}, each answer of MongoDB ${delayMs} ms late`, async (t) => {
      const scene = await twoServers(t)
      scene.proxy.delayReplies(delayMs)
      t.match(await kind.late(scene), wasNotTried)
      scene.proxy.delayReplies(0)
      await scene.settled()
      t.match((await scene.direct.get(kind.path(scene))).body, kind.before)
    })
  }
})
