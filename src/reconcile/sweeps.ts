import type { Db } from 'mongodb'
import { contentDeletion } from '../accounts/delete-content.ts'
import { tombstoneStore } from '../accounts/tombstone.ts'
import { activityStore } from '../activity/store.ts'
import { type FollowWriter, followStore } from '../follows/store.ts'
import { type PostWriter, postStore } from '../posts/store.ts'
import { sweepPosts } from '../posts/sweep.ts'
import { type ReactionWriter, reactionStore } from '../reactions/store.ts'
import type { Sweeps } from './check-orphans.ts'

export function createSweeps(db: Db, writer: FollowWriter & PostWriter & ReactionWriter): Sweeps {
  const reactions = reactionStore(db, writer)
  const stores = {
    activity: activityStore(db),
    follows: followStore(db, writer),
    posts: postStore(db, writer),
    reactions,
    tombstones: tombstoneStore(db),
  }
  return { post: sweepPosts(db, reactions), account: contentDeletion(stores).sweep }
}
