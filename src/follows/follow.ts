import type { AnyBulkWriteOperation, Collection } from 'mongodb'
import { addFollows, followedCounts } from '../accounts/counts.ts'
import { toUuid } from '../database/ids.ts'
import { singleBatch } from '../database/single-batch.ts'
import type { BatchContext } from '../writer/batch-context.ts'
import type { WriteOperation } from '../writer/operation.ts'
import { type FollowDocument, followKey, idHint, keyFilter, keysFilter, pairName } from './model.ts'

/** `order`: the order key of a new follow, a UUIDv7. `maxFollowed`: how many accounts `from` can follow. */
export type FollowCommand = { from: string; to: string; follows: boolean; order: string; maxFollowed?: number }

export type FollowResult = { outcome: 'done' | 'account-not-found' | 'too-many-followed' }

/** Deleted accounts can still unfollow and be unfollowed: see accounts/delete-content.ts. */
export const follow: WriteOperation<FollowCommand, FollowResult> = {
  name: 'follow',
  key: ({ to }) => to,
  actor: ({ from, follows }) => (follows ? from : null),
  apply: applyFollows,
}

type Pair = { from: string; to: string; before: string | null; after: string | null }

/** Writes follows and both accounts' counts. The fence ensures that both accounts exist at the commit. */
async function applyFollows(
  { db, session, isDeleted }: BatchContext,
  commands: readonly FollowCommand[],
): Promise<FollowResult[]> {
  const collection: Collection<FollowDocument> = db.collection('follows')
  const pairs = new Map<string, Pair>()
  for (const { from, to } of commands) pairs.set(pairName(from, to), { from, to, before: null, after: null })
  const keys = [...pairs.values()].map(({ from, to }) => followKey(from, to))
  const found = await collection
    .find(keysFilter(keys), { session, hint: idHint, ...singleBatch(keys.length) })
    .toArray()
  for (const { from, to, order } of found) {
    const pair = pairs.get(pairName(from.toString(), to.toString()))
    if (pair) pair.before = pair.after = order.toString()
  }
  const followed = await followedCounts(db, session, new Set(commands.flatMap((c) => (c.follows ? [c.from] : []))))
  const results = commands.map(({ from, to, follows, order, maxFollowed = Number.POSITIVE_INFINITY }): FollowResult => {
    const outcome = isDeleted(to) ? 'account-not-found' : 'done'
    const pair = pairs.get(pairName(from, to))
    if (!pair || follows === (pair.after !== null) || (follows && isDeleted(to))) return { outcome }
    const count = followed.get(from) ?? 0
    // Exact: what adds a follow also increments its count, on which concurrent transactions conflict.
    if (follows && count >= maxFollowed) return { outcome: 'too-many-followed' }
    followed.set(from, count + (follows ? 1 : -1))
    pair.after = follows ? order : null
    return { outcome }
  })

  const differences = [...pairs.values()].map(({ from, to, before, after }) => ({
    from,
    to,
    difference: Number(after !== null) - Number(before !== null),
  }))
  await addFollows(db, session, differences)
  const changed = [...pairs.values()].filter(({ before, after }) => before !== after)
  if (changed.length === 0) return results
  const writes = changed.flatMap(({ from, to, before, after }): AnyBulkWriteOperation<FollowDocument>[] => {
    if (after === null) return []
    const _id = followKey(from, to)
    const order = toUuid(after)
    return before === null
      ? [{ insertOne: { document: { _id, ..._id, order } } }]
      : [{ updateOne: { filter: keyFilter(_id), hint: idHint, update: { $set: { order } } } }]
  })
  const ended = changed.filter(({ after }) => after === null).map(({ from, to }) => followKey(from, to))
  if (ended.length > 0) writes.push({ deleteMany: { filter: keysFilter(ended), hint: idHint } })
  await collection.bulkWrite(writes, { session, ordered: false })
  return results
}
