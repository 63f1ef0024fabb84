import type { Db } from 'mongodb'
import type { ReactionStore } from '../reactions/store.ts'
import type { PostTombstone } from './model.ts'

const maxTombstones = 500
const maxConcurrentPosts = 5

/**
 * The tombstone is written with the deletion, so a crash loses no sweep. No reaction is added after it: a reaction also
 * writes to its post, and so conflicts with the deletion.
 */
export function sweepPosts(db: Db, reactions: Pick<ReactionStore, 'sweep' | 'postsWithReactions'>) {
  const tombstones = db.collection<PostTombstone>('removedPosts')
  const isUnswept = { sweptAt: { $exists: false } }

  async function sweepPost(post: string, signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (await reactions.sweep(post)).count > 0);
  }

  return async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      const unswept = await tombstones.find(isUnswept).limit(maxTombstones).toArray()
      const ids = unswept.map(({ _id }) => _id)
      if (ids.length === 0) return
      const posts = await reactions.postsWithReactions(ids)
      while (posts.length > 0 && !signal.aborted) {
        await Promise.all(posts.splice(0, maxConcurrentPosts).map((post) => sweepPost(post, signal)))
      }
      if (signal.aborted) return
      await tombstones.updateMany({ _id: { $in: ids }, ...isUnswept }, { $set: { sweptAt: new Date() } })
    }
  }
}
