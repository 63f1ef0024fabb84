import { type Db, MongoClient, type UUID } from 'mongodb'
import t from 'tap'
import { contentDeletion } from '../../src/accounts/delete-content.ts'
import { addDailyCounts } from '../../src/analytics/daily-counts.ts'
import { newId, toUuid } from '../../src/database/ids.ts'
import { transactor } from '../../src/database/transaction.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import { eventually } from '../eventually.ts'
import { makeClient, signUp, testServer } from '../helper.ts'
import { startCluster } from '../processes/cluster.ts'
import { serverOn } from '../sessions/servers.ts'
import { countMismatches, deleteAccount, documentsOf, idOf } from './count-invariants.ts'

type AnyDocument = { _id: object }

/**
 * Seeds replies by an account, its reactions and its followers, `each` many, with their counts.
 * @param other - the author of the posts that it replied and reacted to
 */
async function seedContent(db: Db, client: MongoClient, account: string, other: string, each: number) {
  const [own, author] = [toUuid(account), toUuid(other)]
  const ids = Array.from({ length: each }, () => toUuid(newId()))
  const counts = { likes: 0, dislikes: 0, replies: 0 }
  const post = { text: '.', editedAt: null, revision: 0 }
  const root = ids[0] ?? toUuid(newId())
  const roots = ids.map((_id): PostDocument => {
    return { _id, author, ...post, replyTo: null, root: true, counts: { ...counts, likes: 1 } }
  })
  roots[0] = { ...roots[0], counts: { ...counts, likes: 1, replies: each } } as PostDocument // a post with other counts
  const replies = ids.map((): PostDocument => {
    return { _id: toUuid(newId()), author: own, ...post, replyTo: root, counts }
  })
  const reactions = ids.map((_id) => {
    return { _id: { post: _id, account: own }, post: _id, account: own, value: 'like', order: toUuid(newId()) }
  })
  const followers = ids.map(() => toUuid(newId()))
  const follows = followers.map((from) => ({ _id: { from, to: own }, from, to: own, order: toUuid(newId()) }))
  await db.collection<AnyDocument>('posts').insertMany([...roots, ...replies])
  await db.collection<AnyDocument>('reactions').insertMany(reactions)
  await db.collection<AnyDocument>('follows').insertMany(follows)
  const countsOf = db.collection<{ _id: UUID }>('accountCounts')
  await countsOf.insertMany(followers.map((_id) => ({ _id, posts: 0, followers: 0, following: 1 })))
  await countsOf.updateOne({ _id: own }, { $inc: { posts: each, followers: each } })
  await countsOf.updateOne({ _id: author }, { $inc: { posts: each } })
  const changes = reactions.map(({ order }) => ({
    value: 'like' as const,
    order: String(order),
    difference: 1 as const,
  }))
  await transactor(client)((session) => addDailyCounts(db, session, 9, changes))
  return { root: String(root), first: String(roots.at(-1)?._id) }
}

const unsweptTombstones = (db: Db) => db.collection('removedAccounts').countDocuments({ sweptAt: { $exists: false } })
const untilSwept = (db: Db) => eventually(async () => (await unsweptTombstones(db)) === 0)

t.test(
  'up to 1,000 documents are deleted before the answer, the rest is hidden at once, and counts stay exact',
  async (t) => {
    const { app, url, db } = await testServer(t)
    const [ann, bob, host] = [await signUp(url), await signUp(url), await signUp(url)]
    const [annId, bobId, hostId] = [await idOf(ann), await idOf(bob), await idOf(host)]
    await seedContent(app.db, app.mongo.client, annId, hostId, 330)
    t.equal(await deleteAccount(ann), 204)
    t.same(await documentsOf(db, annId), {}, 'all 990 documents are deleted')

    const { root } = await seedContent(app.db, app.mongo.client, bobId, hostId, 1_500)
    t.same(await countMismatches(db), [])
    let isSwept = false
    const observing = (async () => {
      const seen: number[] = []
      while (!isSwept) {
        t.same(await countMismatches(db), [], 'counts are exact during the sweep')
        seen.push(await db.collection('follows').countDocuments())
      }
      return seen
    })()
    t.equal(await deleteAccount(bob), 204)
    const shown = await makeClient(url).get<{ items: object[] }>(`v1/posts/${root}/replies?limit=100`)
    t.same(shown.body.items, [], 'its replies are hidden before they are swept')
    await untilSwept(db)
    isSwept = true
    t.ok(new Set(await observing).size > 1, 'some observations were during the sweep')
    t.same(await documentsOf(db, bobId), {})
    t.same(await countMismatches(db), [])
    t.match((await makeClient(url).get(`v1/posts/${root}`)).body, { counts: { likes: 0, replies: 0 } })
  },
)

t.test('the next start resumes a content deletion that a kill interrupted', { timeout: 120_000 }, async (t) => {
  const { server, url, db, connection } = await startCluster(t, 1)
  const [ann, host] = [await signUp(url), await signUp(url)]
  const annId = await idOf(ann)
  const { username, password, uri } = connection
  const client = new MongoClient(uri, { auth: { username, password }, authSource: 'admin' })
  t.teardown(() => client.close())
  await seedContent(client.db(db.databaseName), client, annId, await idOf(host), 3_000)
  t.equal(await deleteAccount(ann), 204)
  await server.kill('SIGKILL')
  t.equal(await unsweptTombstones(db), 1)
  const left = await documentsOf(db, annId)
  t.ok((left.reactions ?? 0) > 0, JSON.stringify(left))
  const next = await serverOn(t, connection)
  t.equal((await makeClient(next).get(`v1/accounts/${ann.username}`)).statusCode, 404)
  await untilSwept(db)
  t.same(await documentsOf(db, annId), {})
  t.same(await countMismatches(client.db(db.databaseName)), [])
})

t.test(
  'of many deletions at once, two delete content at a time, and the sweeper deletes what others had no time for',
  async (t) => {
    const ending = Promise.withResolvers<void>()
    const begun: string[] = []
    const nothing = async () => []
    const none = async () => undefined
    const outcome = async () => ({ outcome: 'not-found' }) as const
    const deletion = contentDeletion({
      activity: { deleteAll: none },
      fence: { raise: none },
      follows: { listFollowers: nothing, listFollowing: nothing, unfollow: async () => ({ outcome: 'done' }) },
      posts: {
        delete: outcome,
        deleteIdempotencyRecords: none,
        async listByAuthor(account) {
          begun.push(account)
          await ending.promise
          return []
        },
      },
      reactions: { listByAccount: nothing, react: outcome },
      tombstones: { markSwept: none, unswept: nothing },
    })
    const timeout = new AbortController()
    const deleteContent = (account: string) => deletion.deleteContent(account, timeout.signal, 1_000)
    const [first, second, third] = ['a', 'b', 'c'].map(deleteContent)
    const late = t.rejects(third ?? none(), { name: 'AbortError' })
    await eventually(() => begun.length === 2)
    timeout.abort()
    await late
    ending.resolve()
    await Promise.allSettled([first, second])
    await deletion.deleteContent('d', new AbortController().signal, 1_000)
    t.same(begun, ['a', 'b', 'd'])
  },
)
