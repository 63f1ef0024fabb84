import { type Db, MongoClient, type UUID } from 'mongodb'
import t from 'tap'
import { addDailyCounts } from '../../src/analytics/daily-counts.ts'
import { newId, toUuid } from '../../src/database/ids.ts'
import { transactor } from '../../src/database/transaction.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import { eventually } from '../eventually.ts'
import { makeClient, signUp, testServer } from '../helper.ts'
import { startCluster } from '../processes/cluster.ts'
import { serverOn } from '../sessions/servers.ts'
import { disagreementsIn, idOf, leave, leftOf } from './count-invariants.ts'

type Thing = { _id: object }

/** Much that an account has written, as the server keeps and counts it: posts, replies, reactions and follows. */
async function plant(db: Db, client: MongoClient, account: string, host: string, each: number) {
  const [own, other] = [toUuid(account), toUuid(host)]
  const ids = Array.from({ length: each }, () => toUuid(newId()))
  const counts = { likes: 0, dislikes: 0, replies: 0 }
  const post = { text: '.', editedAt: null, revision: 0 }
  const root = ids[0] ?? toUuid(newId())
  const roots = ids.map((_id): PostDocument => {
    return { _id, author: other, ...post, replyTo: null, root: true, counts: { ...counts, likes: 1 } }
  })
  roots[0] = { ...roots[0], counts: { ...counts, likes: 1, replies: each } } as PostDocument // as it was, but for counts
  const replies = ids.map((): PostDocument => {
    return { _id: toUuid(newId()), author: own, ...post, replyTo: root, counts }
  })
  const reactions = ids.map((_id) => {
    return { _id: { post: _id, account: own }, post: _id, account: own, value: 'like', order: toUuid(newId()) }
  })
  const fans = ids.map(() => toUuid(newId()))
  const follows = fans.map((from) => ({ _id: { from, to: own }, from, to: own, order: toUuid(newId()) }))
  await db.collection<Thing>('posts').insertMany([...roots, ...replies])
  await db.collection<Thing>('reactions').insertMany(reactions)
  await db.collection<Thing>('follows').insertMany(follows)
  const countsOf = db.collection<{ _id: UUID }>('accountCounts')
  await countsOf.insertMany(fans.map((_id) => ({ _id, posts: 0, followers: 0, following: 1 })))
  await countsOf.updateOne({ _id: own }, { $inc: { posts: each, followers: each } })
  await countsOf.updateOne({ _id: other }, { $inc: { posts: each } })
  const changes = reactions.map(({ order }) => ({
    value: 'like' as const,
    order: String(order),
    difference: 1 as const,
  }))
  await transactor(client)((session) => addDailyCounts(db, session, 9, changes))
  return { root: String(root), first: String(roots.at(-1)?._id) }
}

const marks = (db: Db) => db.collection('removedAccounts').countDocuments({ sweptAt: { $exists: false } })
const untilSwept = (db: Db) => eventually(async () => (await marks(db)) === 0)

t.test('a thousand things are gone with the answer, the rest is hidden at once and counts stay right', async (t) => {
  const { app, url, db } = await testServer(t)
  const [ann, bob, host] = [await signUp(url), await signUp(url), await signUp(url)]
  const [annId, bobId, hostId] = [await idOf(ann), await idOf(bob), await idOf(host)]
  await plant(app.db, app.mongo.client, annId, hostId, 330)
  t.equal(await leave(ann), 204)
  t.same(await leftOf(db, annId), {}, '990 things are gone by then')

  const { root } = await plant(app.db, app.mongo.client, bobId, hostId, 1_500)
  t.same(await disagreementsIn(app.db, app.transact), [])
  let done = false
  const watching = (async () => {
    const seen: number[] = []
    while (!done) {
      t.same(await disagreementsIn(app.db, app.transact), [], 'in the middle')
      seen.push(await db.collection('follows').countDocuments())
    }
    return seen
  })()
  t.equal(await leave(bob), 204)
  const shown = await makeClient(url).get<{ items: object[] }>(`v1/posts/${root}/replies?limit=100`)
  t.same(shown.body.items, [], 'nothing is to be seen, swept or not')
  await untilSwept(db)
  done = true
  t.ok(new Set(await watching).size > 1, 'it was looked at in the middle')
  t.same(await leftOf(db, bobId), {})
  t.same(await disagreementsIn(app.db, app.transact), [])
  t.match((await makeClient(url).get(`v1/posts/${root}`)).body, { counts: { likes: 0, replies: 0 } })
})

t.test('killed in the middle, the next start takes it up', { timeout: 120_000 }, async (t) => {
  const { server, url, db, connection } = await startCluster(t, 1)
  const [ann, host] = [await signUp(url), await signUp(url)]
  const annId = await idOf(ann)
  const { username, password, uri } = connection
  const client = new MongoClient(uri, { auth: { username, password }, authSource: 'admin' })
  t.teardown(() => client.close())
  await plant(client.db(db.databaseName), client, annId, await idOf(host), 3_000)
  t.equal(await leave(ann), 204)
  await server.kill('SIGKILL')
  t.equal(await marks(db), 1)
  const left = await leftOf(db, annId)
  t.ok((left.reactions ?? 0) > 0, JSON.stringify(left))
  const next = await serverOn(t, connection)
  t.equal((await makeClient(next).get(`v1/accounts/${ann.username}`)).statusCode, 404)
  await untilSwept(db)
  t.same(await leftOf(db, annId), {})
  t.same(await disagreementsIn(client.db(db.databaseName), transactor(client)), [])
})
