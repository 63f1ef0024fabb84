import { type Db, MongoServerError, UUID } from 'mongodb'
import t from 'tap'
import { v7 } from 'uuid'
import { addDailyCounts, dailyCountsIn, dayMs } from '../../src/analytics/daily-counts.ts'
import { newId, toUuid } from '../../src/database/ids.ts'
import { transactor } from '../../src/database/transaction.ts'
import { react } from '../../src/reactions/react.ts'
import { checkDays } from '../../src/reconcile/check-days.ts'
import { walk } from '../../src/reconcile/snapshot.ts'
import { unfenced } from '../../src/writer/batch-context.ts'
import { indexedDatabase, reactionDocument, reactionsOf, seedAccount, seedPost } from './seed.ts'

type Target = Pick<Awaited<ReturnType<typeof indexedDatabase>>, 'client' | 'db'>

const today = Math.floor(Date.now() / dayMs)
const orderAgo = (days: number, ms = 0) => v7({ msecs: (today - days) * dayMs + ms })

/** Reactions of these numbers of days ago, with their daily counts. */
async function seedDays(db: Db, days: readonly number[]): Promise<void> {
  const post = await seedPost(db, await seedAccount(db))
  const documents = days.map((ago, n) => reactionDocument(post, n % 3 ? 'like' : 'dislike', toUuid(orderAgo(ago, n))))
  await transactor(db.client)(async (session) => {
    if (documents.length > 0) await reactionsOf(db).insertMany(documents, { session })
    const changes = documents.map(({ value, order }) => ({ value, order: order.toString(), difference: 1 as const }))
    await addDailyCounts(db, session, 1, changes)
  })
}

/** Walks with chunks of this many reactions. */
async function compare({ client, db }: Target, size: number) {
  const check = checkDays(db, transactor(client), size)
  const chunks: number[] = []
  const descriptions: string[] = []
  for await (const { checked, drifts } of walk(client, db.databaseName, check)) {
    chunks.push(checked)
    for (const { description } of drifts) descriptions.push(description.slice('day '.length))
  }
  return { chunks, descriptions, checked: chunks.reduce((sum, days) => sum + days, 0) }
}

const dateAgo = (days: number) => new Date((today - days) * dayMs).toISOString().slice(0, 10)

t.test('chunks of any size compare each day once, and find the same drift', async (t) => {
  const target = await indexedDatabase(t)
  const { db } = target
  await seedDays(db, [90, 90, 90, 90, 90, 60, 59, 58, 58, 40, 3, 3, 3, 1])
  await dailyCountsIn(db).updateOne({ '_id.day': new Date((today - 90) * dayMs) }, { $inc: { likes: 2 } })
  await dailyCountsIn(db).updateOne({ '_id.day': new Date((today - 58) * dayMs) }, { $inc: { dislikes: -1 } })
  await reactionsOf(db).insertOne(reactionDocument(new UUID(v7()), 'like', toUuid(orderAgo(0))))
  for (const days of [200, 50, -1]) {
    await dailyCountsIn(db).insertOne({
      _id: { day: new Date((today - days) * dayMs), writer: 2 },
      likes: 1,
      dislikes: 0,
    })
  }
  const expected = [200, 90, 58, 50, 0, -1].map(dateAgo)
  for (const size of [1, 2, 3, 5, 8, 14, 15, 500_000]) {
    const { checked, descriptions } = await compare(target, size)
    t.equal(checked, 11, `size ${size}`)
    t.same(
      descriptions.map((description) => description.slice(0, 10)),
      expected,
      `size ${size}`,
    )
  }
  t.same((await compare(target, 5)).chunks, [2, 5, 4], 'five reactions, then five, and the rest')
  t.same((await compare(target, 500_000)).chunks, [11])
})

t.test('a comparison resumes after a chunk whose snapshot is lost, with fewer days', async (t) => {
  const { client, db } = await indexedDatabase(t)
  await seedDays(db, [9, 8, 7, 6, 5, 4, 3, 2])
  const check = checkDays(db, transactor(client), 4)
  const sizes: number[] = []
  const read: typeof check.read = (snapshot, session, after, size) => {
    sizes.push(size)
    if (sizes.length === 2) throw new MongoServerError({ message: 'snapshot too old', code: 239 })
    return check.read(snapshot, session, after, size)
  }
  const chunks: number[] = []
  for await (const { checked, drifts } of walk(client, db.databaseName, { ...check, read })) {
    chunks.push(checked)
    t.same(drifts, [])
  }
  t.same(sizes, [4, 4, 2, 4])
  t.same(chunks, [4, 2, 2])
})

t.test('while reactions of every day change, no chunk finds drift, and real drift is found exactly', async (t) => {
  const target = await indexedDatabase(t)
  const { client, db } = target
  const transact = transactor(client)
  const author = await seedAccount(db)
  const posts = await Promise.all(Array.from({ length: 6 }, () => seedPost(db, author)))
  const accounts = Array.from({ length: 12 }, () => newId())
  const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T // never empty
  let isOver = false
  let writes = 0
  // Reactions are withdrawn and set again at other posts: their days' counts stay, but other chunks hold them.
  const write = async (writer: number) => {
    while (!isOver) {
      const commands = Array.from({ length: 4 }, () => {
        const order = orderAgo(Math.floor(Math.random() * 8), Math.floor(Math.random() * dayMs))
        return {
          post: pick(posts).toString(),
          account: pick(accounts),
          value: pick(['like', 'dislike', null] as const),
          order,
        }
      })
      await transact((session) => react.apply({ ...unfenced(db, session), writer }, commands))
      writes += 1
    }
  }
  const writing = Promise.all([1, 2, 3].map(write))
  const day = { day: new Date((today - 4) * dayMs), writer: 9 }
  for (let run = 0; run < 12 || (writes < 200 && run < 400); run += 1) {
    const hasDrift = run % 2 === 1
    if (hasDrift) await dailyCountsIn(db).insertOne({ _id: day, likes: 3, dislikes: -2 })
    const { chunks, descriptions } = await compare(target, 1 + (run % 5))
    t.ok(chunks.length > 1 || writes < 10, `run ${run}: ${chunks.length} chunks`)
    t.equal(descriptions.length, hasDrift ? 1 : 0, `run ${run}: ${descriptions}`)
    const [, stored, counted] = /likes: (-?\d+) stored, (\d+) counted/.exec(descriptions[0] ?? '') ?? []
    if (hasDrift) t.equal(Number(stored) - Number(counted), 3)
    await dailyCountsIn(db).deleteOne({ _id: day })
  }
  isOver = true
  await writing
  t.ok(writes >= 200, `${writes} concurrent writes`)
})
