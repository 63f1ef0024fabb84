import { UUID } from 'mongodb'
import t from 'tap'
import { v7 } from 'uuid'
import { dailyCountsIn, dayMs } from '../../src/analytics/daily-counts.ts'
import {
  indexedDatabase,
  reactionDocument,
  reactionsOf,
  runReconcile,
  seedAccount,
  seedAccountTombstones,
  seedPost,
} from './seed.ts'

/** The start of a past day. */
const ago = (days: number) => new Date((Math.floor(Date.now() / dayMs) - days) * dayMs)
const dateOf = (at: Date) => at.toISOString().slice(0, 10)

/** A post with reactions 400 days, 399 days and 1 day ago, and these daily counts. */
async function seedDays(
  t: Parameters<typeof indexedDatabase>[0],
  rows: [days: number, writer: number, likes: number, dislikes: number][],
) {
  const target = await indexedDatabase(t)
  const { db } = target
  const post = await seedPost(db, await seedAccount(db, { posts: 1 }), { likes: 7, dislikes: 2 })
  const at = (days: number, value: 'like' | 'dislike', ms: number) =>
    reactionDocument(post, value, new UUID(v7({ msecs: ago(days).getTime() + ms })))
  const documents = [
    ...[0, 1, dayMs - 1].map((ms) => at(400, 'like', ms)),
    ...[0, dayMs - 1].map((ms) => at(399, 'dislike', ms)),
    ...[5, 6, 7, 8].map((ms) => at(1, 'like', ms)),
  ]
  await reactionsOf(db).insertMany(documents)
  await seedAccountTombstones(
    db,
    documents.map(({ account }) => account),
  )
  await dailyCountsIn(db).insertMany(
    rows.map(([days, writer, likes, dislikes]) => ({ _id: { day: ago(days), writer }, likes, dislikes })),
  )
  const sums = async () => {
    const all = await dailyCountsIn(db).find().toArray()
    return [400, 399, 1].map((days) => {
      const own = all.filter(({ _id }) => _id.day.getTime() === ago(days).getTime())
      return [own.reduce((sum, { likes }) => sum + likes, 0), own.reduce((sum, { dislikes }) => sum + dislikes, 0)]
    })
  }
  return { ...target, sums }
}

const rightSums = [
  [3, 0],
  [0, 2],
  [4, 0],
]

t.test('daily counts of several writers, including negative ones, are no drift when their sum is right', async (t) => {
  const target = await seedDays(t, [
    [400, 1, 8, 1],
    [400, 2, -5, -1],
    [399, 2, 0, 2],
    [1, 1, 4, 0],
    [7, 1, 0, 0],
  ])
  const { lines } = await runReconcile(target)
  t.same(lines.slice(-2), ['days       4 checked, drift 0', 'drift 0'])
})

t.test('a difference is reported by day, and fixed in the correction row', async (t) => {
  const target = await seedDays(t, [
    [400, 1, 5, 0],
    [399, 1, 1, 1],
    [7, 1, 0, 2],
  ])
  const findings = [
    `day ${dateOf(ago(400))}: likes: 5 stored, 3 counted`,
    `day ${dateOf(ago(399))}: likes: 1 stored, 0 counted; dislikes: 1 stored, 2 counted`,
    `day ${dateOf(ago(7))}: dislikes: 2 stored, 0 counted`,
    `day ${dateOf(ago(1))}: likes: 0 stored, 4 counted`,
  ]
  const before = await dailyCountsIn(target.db).find().toArray()
  const found = await runReconcile(target)
  t.same(found.lines.slice(-6), ['days       4 checked, drift 10', ...findings.map((line) => `  ${line}`), 'drift 10'])
  t.same(await dailyCountsIn(target.db).find().toArray(), before, 'without --fix nothing is written')
  t.match((await runReconcile(target, { fix: true })).lines.at(-1), 'drift 0 (10 fixed)')
  t.same(await target.sums(), rightSums)
  t.same(
    (await dailyCountsIn(target.db).find({ '_id.writer': 0 }).toArray()).map(({ likes, dislikes }) => [
      likes,
      dislikes,
    ]),
    [
      [-2, 0],
      [-1, 1],
      [0, -2],
      [4, 0],
    ],
  )
  t.match((await runReconcile(target)).lines.at(-1), /^drift 0$/)
})

t.test('of three concurrent fixes of a day, one is applied', async (t) => {
  for (let round = 0; round < 3; round += 1) {
    const target = await seedDays(t, [[400, 1, 5, 0]])
    await Promise.all([1, 2, 3].map(() => runReconcile(target, { fix: true })))
    t.same(await target.sums(), rightSums, `round ${round}`)
    t.match((await runReconcile(target)).lines.at(-1), /^drift 0$/)
  }
})
