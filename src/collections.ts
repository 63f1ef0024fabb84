import type { Collections } from './database/indexes.ts'
import { throttleIndexes } from './limits/store.ts'
import { postIndexes, removedPostIndexes } from './posts/document.ts'
import { idempotencyIndexes } from './posts/idempotency.ts'
import { reactionIndexes } from './reactions/document.ts'
import { deviceIndexes } from './sessions/devices.ts'
import { sessionIndexes } from './sessions/store.ts'

/** Every collection, with the indexes it must have beside `_id`'s; each feature's store says why it needs them. */
export const collections: Collections = {
  accountCounts: [],
  accounts: [],
  credentials: [],
  devices: deviceIndexes,
  idempotency: idempotencyIndexes,
  posts: postIndexes,
  reactions: reactionIndexes,
  removedPosts: removedPostIndexes,
  sessions: sessionIndexes,
  throttle: throttleIndexes,
  usernames: [],
}
