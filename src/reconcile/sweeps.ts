import type { Db } from 'mongodb'
import { contentDeletion } from '../accounts/delete-content.ts'
import { tombstoneStore } from '../accounts/tombstone.ts'
import { activityStore } from '../activity/store.ts'
import type { Transact } from '../database/transaction.ts'
import { followStore } from '../follows/store.ts'
import { postStore } from '../posts/store.ts'
import { sweepPosts } from '../posts/sweep.ts'
import { reactionStore } from '../reactions/store.ts'
import { localWriter } from '../write-operations.ts'
import type { Sweeps } from './check-orphans.ts'

export function createSweeps(db: Db, transact: Transact): Sweeps {
  const writer = localWriter(db, transact)
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
