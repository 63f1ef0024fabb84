import type { Db, UUID } from 'mongodb'
import t from 'tap'
import { v7 } from 'uuid'
import { collections } from '../../src/collections.ts'
import { newId, toUuid } from '../../src/database/ids.ts'
import { ensureIndexes } from '../../src/database/indexes.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import { timelineStore } from '../../src/timeline/store.ts'
import { freshDatabase, signUp, testServer } from '../helper.ts'

const ids = (count: number) => Array.from({ length: count }, () => toUuid(newId()))

/** Seeds posts by random authors, some more often than others; three in ten posts are replies. */
async function seedPosts(db: Db, authors: readonly UUID[], count: number) {
  const begin = Date.now() - 10 * 86_400_000
  const documents = Array.from({ length: count }, (_, n): PostDocument => {
    const isReply = n % 10 < 3
    return {
      _id: toUuid(v7({ msecs: begin + n * 1_000 })),
      author: authors[Math.floor(Math.random() ** 2 * authors.length)] ?? toUuid(newId()),
      text: '.',
      editedAt: null,
      replyTo: isReply ? toUuid(newId()) : null,
      ...(!isReply && { root: true as const }),
      counts: { likes: 0, dislikes: 0, replies: 0 },
      revision: 0,
    }
  })
  await db.collection<PostDocument>('posts').insertMany(documents)
  return documents
}

t.test('the timeline of up to 900 followed accounts equals a search through all posts', async (t) => {
  const { db } = await freshDatabase(t)
  await ensureIndexes(db, collections)
  const [busy, mixed, silent, strangers] = [ids(3), ids(700), ids(900), ids(50)]
  const posts = await seedPosts(db, [...busy, ...mixed, ...strangers], 6_000)
  const replying = ids(200)
  const replies = await seedPosts(db, replying, 2_000)
  await db.collection('posts').updateMany({ author: { $in: replying } }, { $unset: { root: true } })
  const timelines = timelineStore(db)
  const roots = posts.filter(({ root }) => root).map(({ _id, author }) => [String(_id), String(author)] as const)

  const readers = { mixed: [...busy, ...mixed], silent, replying, few: [...busy, ...silent.slice(0, 200)], none: [] }
  for (const [name, authors] of Object.entries(readers)) {
    const followed = new Set(authors.map(String))
    const expected = roots.flatMap(([id, author]) => (followed.has(author) ? [id] : [])).toReversed()
    for (const limit of [1, 20, 100]) {
      for (const from of [0, 1, 199, Math.floor(expected.length / 2), Math.max(0, expected.length - 5)]) {
        const after = from === 0 ? undefined : expected[from - 1]
        if (from > 0 && after === undefined) continue
        t.same(
          await timelines.list(authors, { after, limit }),
          expected.slice(from, from + limit + 1),
          `${name} ${from}`,
        )
      }
    }
  }
  t.ok(replies.length > 0)
})

t.test('a timeline reads one index, and of each author at most a page', async (t) => {
  const { url, db } = await testServer(t)
  const { client } = await signUp(url)
  const { id } = (await client.get<{ id: string }>('v1/account')).body
  const [authors, from] = [ids(450), toUuid(id)]
  const follows = authors.map((to) => ({ _id: { from, to }, from, to, order: toUuid(newId()) }))
  await db.collection<{ _id: object }>('follows').insertMany(follows)
  await seedPosts(db, authors, 5_000)
  await db.command({ profile: 2 })
  const { statusCode } = await client.get('v1/timeline?limit=10')
  t.equal(statusCode, 200)
  await db.command({ profile: 0 })
  const found = await db
    .collection('system.profile')
    .find({ ns: { $in: [`${db.databaseName}.posts`, `${db.databaseName}.follows`] }, op: 'query' })
    .toArray()
  const lists = found.filter(({ command }) => command.sort !== undefined)
  t.equal(lists.length, 3, 'one query for each 200 authors')
  for (const { planSummary, docsExamined, keysExamined, hasSortStage } of lists) {
    t.match(planSummary, /^(IXSCAN \{ author: 1, root: 1, _id: -1 \}(, )?)+$/)
    t.match({ docsExamined, hasSortStage: hasSortStage ?? false }, { docsExamined: 0, hasSortStage: false })
    t.ok(keysExamined <= 2 * 200 + 2 * 11, `${keysExamined} keys`)
  }
  const [followed] = found.filter(({ ns }) => ns.endsWith('follows'))
  t.match(
    followed,
    { planSummary: 'IXSCAN { from: 1, to: 1 }', docsExamined: 0, nreturned: 450 },
    'followed accounts are read from an index, too',
  )
})
