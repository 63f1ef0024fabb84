import type { Db } from 'mongodb'
import { contentDeletion } from '../accounts/delete-content.ts'
import { tombstoneStore } from '../accounts/tombstone.ts'
import { activityStore } from '../activity/store.ts'
import type { Transact } from '../database/transaction.ts'
import { type FollowWriter, followStore } from '../follows/store.ts'
import { emailStore } from '../mail/emails.ts'
import { noNotices } from '../mail/notices.ts'
import { passkeyStore } from '../passkeys/store.ts'
import { type PostWriter, postStore } from '../posts/store.ts'
import { sweepPosts } from '../posts/sweep.ts'
import { type ReactionWriter, reactionStore } from '../reactions/store.ts'
import { secondFactorStore } from '../second-factor/store.ts'
import { deviceStore } from '../sessions/devices.ts'
import { revocationCache } from '../sessions/revocation-cache.ts'
import { sessionStore } from '../sessions/store.ts'
import { deletionFence } from '../writer/deletion-fence.ts'
import type { Sweeps } from './check-orphans.ts'

type Writer = FollowWriter & PostWriter & ReactionWriter

export function createSweeps(db: Db, transact: Transact, writer: Writer): Sweeps {
  const tombstones = tombstoneStore(db)
  const reactions = reactionStore(db, writer)
  const stores = {
    activity: activityStore(db, noNotices),
    fence: deletionFence(db, transact, tombstones),
    follows: followStore(db, writer),
    posts: postStore(db, writer),
    reactions,
    tombstones,
  }
  const devices = deviceStore(db)
  const emails = emailStore(db)
  const passkeys = passkeyStore(db)
  const secondFactors = secondFactorStore(db)
  const sessions = sessionStore(db, revocationCache(db))
  return {
    post: sweepPosts(db, reactions),
    account: contentDeletion(stores).sweep,
    deleteAll: {
      activity: stores.activity.deleteAll,
      devices: (account) => transact((transaction) => devices.deleteAll(account, transaction)),
      emails: (account) => transact((transaction) => emails.delete(account, transaction)),
      idempotency: stores.posts.deleteIdempotencyRecords,
      passkeys: (account) => transact((transaction) => passkeys.deleteAll(account, transaction)),
      secondFactors: (account) => transact((transaction) => secondFactors.delete(account, transaction)),
      sessions: (account) => transact((transaction) => sessions.endAll(account, transaction)),
    },
  }
}
