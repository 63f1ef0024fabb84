import type { Db } from 'mongodb'
import { contentDeletion } from '../accounts/delete-content.ts'
import { tombstoneStore } from '../accounts/tombstone.ts'
import { activityStore } from '../activity/store.ts'
import type { Transact } from '../database/transaction.ts'
import { type FollowWriter, followStore } from '../follows/store.ts'
import { type PostWriter, postStore } from '../posts/store.ts'
import { sweepPosts } from '../posts/sweep.ts'
import { type ReactionWriter, reactionStore } from '../reactions/store.ts'
import { deletionFence } from '../writer/deletion-fence.ts'
import type { Sweeps } from './check-orphans.ts'

type Writer = FollowWriter & PostWriter & ReactionWriter

export function createSweeps(db: Db, transact: Transact, writer: Writer): Sweeps {
  const tombstones = tombstoneStore(db)
  const reactions = reactionStore(db, writer)
  const stores = {
    activity: activityStore(db),
    fence: deletionFence(db, transact, tombstones),
    follows: followStore(db, writer),
    posts: postStore(db, writer),
    reactions,
    tombstones,
  }
  return { post: sweepPosts(db, reactions), account: contentDeletion(stores).sweep }
}
