import { usernameIndexes } from './accounts/store.ts'
import { accountTombstoneIndexes } from './accounts/tombstone.ts'
import { activityIndexes } from './activity/store.ts'
import { credentialIndexes } from './credentials/store.ts'
import type { Collections } from './database/indexes.ts'
import { followIndexes } from './follows/model.ts'
import { fixedWindowIndexes } from './limits/fixed-window.ts'
import { slidingWindowIndexes } from './limits/sliding-window.ts'
import { idempotencyIndexes } from './posts/idempotency.ts'
import { postIndexes, postTombstoneIndexes } from './posts/model.ts'
import { reactionIndexes } from './reactions/model.ts'
import { deviceIndexes } from './sessions/devices.ts'
import { lastSeenIndexes } from './sessions/last-seen.ts'
import { sessionIndexes } from './sessions/model.ts'
import { revocationIndexes } from './sessions/revocation-cache.ts'

export const collections: Collections = {
  accountCounts: [],
  accounts: [],
  activity: activityIndexes,
  attempts: slidingWindowIndexes,
  credentials: credentialIndexes,
  devices: deviceIndexes,
  follows: followIndexes,
  idempotency: idempotencyIndexes,
  keys: [],
  lastSeen: lastSeenIndexes,
  posts: postIndexes,
  reactionDays: [],
  reactions: reactionIndexes,
  removedAccounts: accountTombstoneIndexes,
  removedPosts: postTombstoneIndexes,
  revocations: revocationIndexes,
  sessions: sessionIndexes,
  throttle: fixedWindowIndexes,
  usernames: usernameIndexes,
  writers: [],
}
