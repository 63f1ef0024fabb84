import type { Db } from 'mongodb'
import type { ReactionStore } from '../reactions/store.ts'
import type { RemovedPost } from './model.ts'

/** As many are looked at together, and as many of those that have reactions are swept in the same batches. */
const atOnce = { looked: 500, swept: 5 }

/**
 * Removes the reactions of deleted posts. That a post was removed is written with the removal itself, so a crash loses
 * none. Several processes may sweep the same post. No reaction comes after the sweep: whoever writes one writes to its
 * post, too, and conflicts with the removal.
 */
export function sweepPosts(db: Db, reactions: ReactionStore) {
  const removed = db.collection<RemovedPost>('removedPosts')
  const isNotSwept = { sweptAt: { $exists: false } }

  async function sweepOne(post: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (await reactions.sweep(post)) > 0);
  }

  return async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      const some = (await removed.find(isNotSwept).limit(atOnce.looked).toArray()).map(({ _id }) => _id)
      if (some.length === 0) return
      // Most posts have none.
      const left = await reactions.postsWithSome(some)
      while (left.length > 0 && !signal.aborted) {
        await Promise.all(left.splice(0, atOnce.swept).map((post) => sweepOne(post, signal)))
      }
      if (signal.aborted) return
      await removed.updateMany({ _id: { $in: some }, ...isNotSwept }, { $set: { sweptAt: new Date() } })
    }
  }
}
