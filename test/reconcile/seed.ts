import { type Db, UUID } from 'mongodb'
import type { Test } from 'tap'
import { v7 } from 'uuid'
import type { CountsDocument } from '../../src/accounts/counts.ts'
import type { AccountTombstone } from '../../src/accounts/tombstone.ts'
import { dayOf, daysIn } from '../../src/analytics/daily-counts.ts'
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

/** A database of its own with the indexes of a server, but without one. */
export async function preparedDatabase(t: Test) {
  const fresh = await freshDatabase(t)
  await ensureIndexes(fresh.db, collections)
  return fresh
}

export const postsOf = (db: Db) => db.collection<PostDocument>('posts')
export const reactionsOf = (db: Db) => db.collection<ReactionDocument>('reactions')
export const followsOf = (db: Db) => db.collection<FollowDocument>('follows')
export const countsOf = (db: Db) => db.collection<CountsDocument>('accountCounts')

/** An account as the server keeps it; its counts say what they are told to say, or are not there. */
export async function plantAccount(db: Db, counts: object | null = {}): Promise<UUID> {
  const _id = newUuid()
  await db.collection<{ _id: UUID }>('accounts').insertOne({ _id })
  if (counts) await countsOf(db).insertOne({ _id, posts: 0, followers: 0, following: 0, ...counts })
  return _id
}

export function postDocument(author: UUID, counts: object = {}, replyTo: UUID | null = null): PostDocument {
  const all = { likes: 0, dislikes: 0, replies: 0, ...counts }
  const root = replyTo === null && { root: true as const }
  return { _id: newUuid(), author, text: '.', editedAt: null, replyTo, ...root, counts: all, revision: 7 }
}

export async function plantPost(db: Db, author: UUID, counts: object = {}, replyTo?: UUID): Promise<UUID> {
  const post = postDocument(author, counts, replyTo)
  await postsOf(db).insertOne(post)
  return post._id
}

/** Says that accounts that were never there wait to be swept: what belongs to them is no drift. */
export async function markAccounts(db: Db, ids: readonly UUID[]): Promise<void> {
  const marks = ids.map((_id) => ({ _id, at: new Date() }))
  await db.collection<AccountTombstone>('removedAccounts').insertMany(marks, { ordered: false })
}

export function reactionDocument(post: UUID, value: 'like' | 'dislike', order = newUuid()): ReactionDocument {
  const account = newUuid()
  return { _id: { post, account }, post, account, value, order }
}

/** Reactions of today, counted for the day, by accounts that need not exist. */
export async function plantReactions(db: Db, post: UUID, value: 'like' | 'dislike', count: number): Promise<void> {
  const documents = Array.from({ length: count }, () => reactionDocument(post, value))
  await reactionsOf(db).insertMany(documents)
  await markAccounts(
    db,
    documents.map(({ account }) => account),
  )
  const rows = Map.groupBy(documents, ({ order }) => dayOf(order.toString()).getTime())
  for (const [at, { length }] of rows) {
    const more = value === 'like' ? { likes: length, dislikes: 0 } : { likes: 0, dislikes: length }
    await daysIn(db).updateOne({ _id: { day: new Date(at), writer: 1 } }, { $inc: more }, { upsert: true })
  }
}

/** The lines after those of posts, accounts and reactions, when nothing in them drifts. */
export const otherLines = ({ reactions = 0, posts = 0, follows = 0, days = 0 }) => [
  `reactors   ${reactions.toLocaleString('en')} checked, drift 0`,
  `authors    ${posts.toLocaleString('en')} checked, drift 0`,
  `followers  ${follows} checked, drift 0`,
  `following  ${follows} checked, drift 0`,
  `days       ${days} checked, drift 0`,
]

type Target = Pick<Awaited<ReturnType<typeof preparedDatabase>>, 'client' | 'db'>

/** A whole run, and what it prints. */
export async function runHere({ client, db }: Target, { fix = false, stop = new AbortController().signal } = {}) {
  const heard: Result[] = []
  const onResult = (result: Result) => void heard.push(result)
  const sweeps = createSweeps(db, localWriter(db, transactor(client)))
  const results = await reconcile(client, db.databaseName, sweeps, { fix, stop, onResult })
  return { results, lines: [...heard.map(resultLine), ...summaryLines(results)] }
}
