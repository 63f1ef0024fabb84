import { type Db, UUID } from 'mongodb'
import type { Test } from 'tap'
import { v7 } from 'uuid'
import type { CountsDocument } from '../../src/accounts/counts.ts'
import type { AccountTombstone } from '../../src/accounts/tombstone.ts'
import { dailyCountsIn, dayOf } from '../../src/analytics/daily-counts.ts'
import { collections } from '../../src/collections.ts'
import { ensureIndexes } from '../../src/database/indexes.ts'
import { transactor } from '../../src/database/transaction.ts'
import type { FollowDocument } from '../../src/follows/model.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import type { ReactionDocument } from '../../src/reactions/model.ts'
import { type Result, reconcile } from '../../src/reconcile/reconcile.ts'
import { resultLine, summaryLines } from '../../src/reconcile/report.ts'
import { createSweeps } from '../../src/reconcile/sweeps.ts'
import { localWriter } from '../../src/write-operations.ts'
import { freshDatabase } from '../helper.ts'

export const newUuid = () => new UUID(v7())

/** A new database with the server's indexes. */
export async function indexedDatabase(t: Test) {
  const fresh = await freshDatabase(t)
  await ensureIndexes(fresh.db, collections)
  return fresh
}

export const postsOf = (db: Db) => db.collection<PostDocument>('posts')
export const reactionsOf = (db: Db) => db.collection<ReactionDocument>('reactions')
export const followsOf = (db: Db) => db.collection<FollowDocument>('follows')
export const countsOf = (db: Db) => db.collection<CountsDocument>('accountCounts')

/** An account with these counts, 0 by default; with null the document with the counts is missing. */
export async function seedAccount(db: Db, counts: object | null = {}): Promise<UUID> {
  const _id = newUuid()
  await db.collection<{ _id: UUID }>('accounts').insertOne({ _id })
  if (counts) await countsOf(db).insertOne({ _id, posts: 0, followers: 0, following: 0, ...counts })
  return _id
}

export function postDocument(author: UUID, counts: object = {}, replyTo: UUID | null = null): PostDocument {
  const allCounts = { likes: 0, dislikes: 0, replies: 0, ...counts }
  const root = replyTo === null && { root: true as const }
  return { _id: newUuid(), author, text: '.', editedAt: null, replyTo, ...root, counts: allCounts, revision: 7 }
}

export async function seedPost(db: Db, author: UUID, counts: object = {}, replyTo?: UUID): Promise<UUID> {
  const post = postDocument(author, counts, replyTo)
  await postsOf(db).insertOne(post)
  return post._id
}

/** Tombstones of accounts that wait for their sweep: documents that they own are no drift. */
export async function seedAccountTombstones(db: Db, ids: readonly UUID[]): Promise<void> {
  const tombstones = ids.map((_id) => ({ _id, at: new Date() }))
  await db.collection<AccountTombstone>('removedAccounts').insertMany(tombstones, { ordered: false })
}

export function reactionDocument(post: UUID, value: 'like' | 'dislike', order = newUuid()): ReactionDocument {
  const account = newUuid()
  return { _id: { post, account }, post, account, value, order }
}

/** Reactions of today, by accounts with tombstones, with their daily counts. */
export async function seedReactions(db: Db, post: UUID, value: 'like' | 'dislike', count: number): Promise<void> {
  const documents = Array.from({ length: count }, () => reactionDocument(post, value))
  await reactionsOf(db).insertMany(documents)
  await seedAccountTombstones(
    db,
    documents.map(({ account }) => account),
  )
  const rows = Map.groupBy(documents, ({ order }) => dayOf(order.toString()).getTime())
  for (const [at, { length }] of rows) {
    const increment = value === 'like' ? { likes: length, dislikes: 0 } : { likes: 0, dislikes: length }
    await dailyCountsIn(db).updateOne({ _id: { day: new Date(at), writer: 1 } }, { $inc: increment }, { upsert: true })
  }
}

/** The report's lines after posts, accounts and reactions, if nothing in them drifts. */
export const cleanLines = ({ reactions = 0, posts = 0, follows = 0, days = 0 }) => [
  `reactors   ${reactions.toLocaleString('en')} checked, drift 0`,
  `authors    ${posts.toLocaleString('en')} checked, drift 0`,
  `followers  ${follows} checked, drift 0`,
  `following  ${follows} checked, drift 0`,
  ...['sessions  ', 'devices   ', 'passkeys  ', 'factors   ', 'emails    ', 'activity  ', 'records   '].map(
    (name) => `${name} 0 checked, drift 0`,
  ),
  `days       ${days} checked, drift 0`,
]

type Target = Pick<Awaited<ReturnType<typeof indexedDatabase>>, 'client' | 'db'>

/** Runs all checks. @returns the results, and the lines of the report */
export async function runReconcile({ client, db }: Target, { fix = false, stop = new AbortController().signal } = {}) {
  const reported: Result[] = []
  const onResult = (result: Result) => void reported.push(result)
  const transact = transactor(client)
  const sweeps = createSweeps(db, transact, localWriter(db, transact))
  const results = await reconcile(client, db.databaseName, sweeps, { fix, stop, onResult })
  return { results, lines: [...reported.map(resultLine), ...summaryLines(results)] }
}
