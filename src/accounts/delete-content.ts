import type { ActivityStore } from '../activity/store.ts'
import type { FollowStore } from '../follows/store.ts'
import { allPages, type Position } from '../http/pages.ts'
import { overloaded } from '../http/problems.ts'
import { fairQueue } from '../limits/fair-queue.ts'
import type { PostStore } from '../posts/store.ts'
import type { ReactionStore } from '../reactions/store.ts'
import type { DeletionFence } from '../writer/deletion-fence.ts'
import type { TombstoneStore } from './tombstone.ts'

type Stores = {
  activity: Pick<ActivityStore, 'deleteAll'>
  fence: DeletionFence
  follows: Pick<FollowStore, 'listFollowers' | 'listFollowing' | 'unfollow'>
  posts: Pick<PostStore, 'delete' | 'deleteIdempotencyRecords' | 'listByAuthor'>
  reactions: Pick<ReactionStore, 'listByAccount' | 'react'>
  tombstones: Pick<TombstoneStore, 'markSwept' | 'unswept'>
}

const chunkSize = 500
/** Of deletions before their answers, in one process: the chunks of many would be a queue that other writes wait in. */
const bounds = { maxRunning: 2, maxWaiting: 1_000 }

async function* deletionsOf(account: string, { follows, posts, reactions }: Stores) {
  const chunks = <Item>(
    list: (account: string, position: Position) => Promise<Item[]>,
    keyOf: (item: Item) => string,
  ) => allPages((position) => list(account, position), keyOf, chunkSize)

  for await (const chunk of chunks(posts.listByAuthor, ({ id }) => id)) {
    yield chunk.map((post) => () => posts.delete(post.id, account))
  }
  for (const list of [follows.listFollowing, follows.listFollowers]) {
    for await (const chunk of chunks(list, ({ order }) => order)) {
      yield chunk.map((follow) => () => follows.unfollow(follow.from, follow.to))
    }
  }
  for await (const chunk of chunks(reactions.listByAccount, ({ order }) => order)) {
    yield chunk.map((reaction) => () => reactions.react(reaction.post, account, null))
  }
}

/** Item by item, as the owner would, so that all counts stay exact. Behind the fence no batch writes new content. */
export function contentDeletion(stores: Stores) {
  const { activity, fence, posts, tombstones } = stores
  const queue = fairQueue(bounds, () => overloaded('writes'))

  async function deleteItems(account: string, signal: AbortSignal, limit = Number.POSITIVE_INFINITY): Promise<void> {
    let left = limit
    for await (const chunk of deletionsOf(account, stores)) {
      await Promise.all(chunk.slice(0, left).map((deleteItem) => deleteItem()))
      left -= chunk.length
      if (signal.aborted || left <= 0) return
    }
  }

  return {
    /** Up to a limit, or until the signal. @throws Problem `overloaded`; the signal's reason */
    deleteContent(account: string, signal: AbortSignal, limit: number): Promise<void> {
      const task = async () => {
        await fence.raise()
        await deleteItems(account, signal, limit)
      }
      return queue(task, { key: account, signal })
    },

    async sweep(signal: AbortSignal): Promise<void> {
      for (;;) {
        const accounts = await tombstones.unswept()
        if (accounts.length === 0) return
        await fence.raise()
        for (const account of accounts) {
          await deleteItems(account, signal)
          await posts.deleteIdempotencyRecords(account)
          await activity.deleteAll(account)
          if (signal.aborted) return
          await tombstones.markSwept(account)
        }
      }
    },
  }
}

export type ContentDeletion = ReturnType<typeof contentDeletion>
