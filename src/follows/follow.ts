import type { Collection, Db } from 'mongodb'
import { addFollows } from '../accounts/counts.ts'
import { toUuid } from '../database/ids.ts'
import { inOneAnswer } from '../database/single-batch.ts'
import type { Inside } from '../writer/fence.ts'
import type { WriteBatch } from '../writer/group-commit.ts'
import { type FollowDocument, followKey, pairName } from './model.ts'

/**
 * A wish that an account follows another, or no longer does.
 * @property order - its place, if it begins with this wish: a UUIDv7 of its own.
 */
export type FollowWish = { from: string; to: string; follows: boolean; order: string }

export type Followed = 'done' | 'no-such-account'

/** What stands between two accounts: the place, or null when one does not follow the other. */
type Pair = { from: string; to: string; before: string | null; after: string | null }

/**
 * Writes who follows whom, and the counts of both. Both are still there at the commit: that is the fence's to see to.
 * Taking back is for those, too, of whom one is no more: see accounts/sweep.ts.
 */
export function follow(db: Db, { isGone }: Inside): WriteBatch<FollowWish, Followed> {
  const follows: Collection<FollowDocument> = db.collection('follows')

  return async (wishes, session) => {
    const pairs = new Map<string, Pair>()
    for (const { from, to } of wishes) pairs.set(pairName(from, to), { from, to, before: null, after: null })
    const keys = [...pairs.values()].map(({ from, to }) => followKey(from, to))
    const found = await follows.find({ _id: { $in: keys } }, { session, ...inOneAnswer(keys.length) }).toArray()
    for (const { from, to, order } of found) {
      const pair = pairs.get(pairName(from.toString(), to.toString()))
      if (pair) pair.before = pair.after = order.toString()
    }
    const answers = wishes.map(({ from, to, follows, order }): Followed => {
      const pair = pairs.get(pairName(from, to))
      if (pair && (!follows || !isGone(to))) pair.after = follows ? (pair.after ?? order) : null
      return isGone(to) ? 'no-such-account' : 'done'
    })

    const changed = [...pairs.values()].filter(({ before, after }) => before !== after)
    if (changed.length === 0) return answers
    const gains = changed.map(({ from, to, before, after }) => ({
      from,
      to,
      gain: Number(after !== null) - Number(before !== null),
    }))
    await addFollows(db, session, gains)
    await follows.bulkWrite(
      changed.map(({ from, to, before, after }) => {
        const _id = followKey(from, to)
        if (after === null) return { deleteOne: { filter: { _id } } }
        const order = toUuid(after)
        return before === null
          ? { insertOne: { document: { _id, ..._id, order } } }
          : { updateOne: { filter: { _id }, update: { $set: { order } } } }
      }),
      { session, ordered: false },
    )
    return answers
  }
}
