import { usernameIndexes } from './accounts/store.ts'
import { accountTombstoneIndexes } from './accounts/tombstone.ts'
import { activityIndexes } from './activity/model.ts'
import { credentialIndexes } from './credentials/store.ts'
import type { Collections } from './database/indexes.ts'
import { type CollectionUses, insertedBy } from './database/roles.ts'
import type { Views } from './database/views.ts'
import { followIndexes } from './follows/model.ts'
import { fixedWindowIndexes } from './limits/fixed-window.ts'
import { slidingWindowIndexes } from './limits/sliding-window.ts'
import { outboxIndexes } from './mail/outbox.ts'
import { passkeyIndexes } from './passkeys/model.ts'
import { idempotencyIndexes } from './posts/idempotency.ts'
import { postIndexes, postTombstoneIndexes } from './posts/model.ts'
import { reactionIndexes } from './reactions/model.ts'
import { secondFactorIndexes } from './second-factor/model.ts'
import type { ServiceName, Services } from './services.ts'
import { usedChallengeIndexes } from './sessions/challenges.ts'
import { deviceIndexes } from './sessions/devices.ts'
import { lastSeenIndexes } from './sessions/last-seen.ts'
import { sessionIndexes } from './sessions/model.ts'
import { revocationIndexes } from './sessions/revocation-cache.ts'
import { sessionOwnersView } from './sessions/session-owners.ts'

export const collections: Collections = {
  accountCounts: [],
  accounts: [],
  activity: activityIndexes,
  attempts: slidingWindowIndexes,
  audit: [],
  credentials: credentialIndexes,
  devices: deviceIndexes,
  emails: [],
  follows: followIndexes,
  idempotency: idempotencyIndexes,
  keys: [],
  lastSeen: lastSeenIndexes,
  outbox: outboxIndexes,
  passkeys: passkeyIndexes,
  posts: postIndexes,
  reactionDays: [],
  reactions: reactionIndexes,
  removedAccounts: accountTombstoneIndexes,
  removedPosts: postTombstoneIndexes,
  revocations: revocationIndexes,
  secondFactors: secondFactorIndexes,
  sessions: sessionIndexes,
  throttle: fixedWindowIndexes,
  usedChallenges: usedChallengeIndexes,
  usernames: usernameIndexes,
  versions: [],
  writers: [],
}

export const views: Views = { sessionOwners: sessionOwnersView }

/** All that each service's database user may do. Accounts deletes posts with their account, and exports them. */
export const collectionUses: Readonly<Record<ServiceName, CollectionUses>> = {
  accounts: {
    accountCounts: ['find', 'insert', 'update', 'remove'],
    accounts: ['find', 'insert', 'update', 'remove'],
    activity: ['find', 'insert', 'update', 'remove'],
    attempts: ['find', 'insert', 'update', 'remove'],
    audit: ['insert'],
    credentials: ['find', 'insert', 'update', 'remove'],
    devices: ['find', 'insert', 'update', 'remove'],
    emails: ['find', 'insert', 'update', 'remove'],
    follows: ['find', 'remove'],
    idempotency: ['remove'],
    keys: ['find', 'insert', 'update'],
    lastSeen: ['find', 'insert', 'update'],
    outbox: ['find', 'insert', 'update', 'remove'],
    passkeys: ['find', 'insert', 'update', 'remove'],
    posts: ['find', 'update', 'remove'],
    reactionDays: ['insert', 'update'],
    reactions: ['find', 'remove'],
    removedAccounts: ['find', 'insert', 'update'],
    removedPosts: ['find', 'insert', 'update'],
    revocations: ['find', 'insert', 'update', 'changeStream'],
    secondFactors: ['find', 'insert', 'update', 'remove'],
    sessionOwners: ['createCollection', 'find'],
    sessions: ['find', 'insert', 'update', 'remove'],
    throttle: ['find', 'insert', 'update'],
    usedChallenges: ['insert'],
    usernames: ['find', 'insert', 'update', 'remove'],
    versions: ['find', 'insert', 'update'],
    writers: ['find', 'insert', 'update'],
  },
  posts: {
    accountCounts: ['find', 'update'],
    accounts: ['find'],
    follows: ['find', 'insert', 'update', 'remove'],
    idempotency: ['find', 'insert', 'update'],
    lastSeen: ['insert', 'update'],
    posts: ['find', 'insert', 'update', 'remove', 'changeStream'],
    reactionDays: ['find', 'insert', 'update'],
    reactions: ['find', 'insert', 'update', 'remove'],
    removedAccounts: ['find'],
    removedPosts: ['find', 'insert', 'update'],
    revocations: ['find', 'insert', 'update', 'changeStream'],
    sessionOwners: ['find'],
    throttle: ['find', 'insert', 'update'],
    usernames: ['find'],
    versions: ['find', 'insert', 'update'],
    writers: ['find', 'insert', 'update'],
  },
}

/** All that a database user may do that serves these services. */
export function usesOf(services: Services): CollectionUses {
  const uses = services.map((service) => collectionUses[service])
  const names = [...new Set(uses.flatMap(Object.keys))]
  return Object.fromEntries(names.map((name) => [name, [...new Set(uses.flatMap((each) => each[name] ?? []))]]))
}

/** The collections that these services insert into, and so create at their start, with all indexes. */
export function collectionsOf(services: Services): Collections {
  const inserted = new Set(services.flatMap((service) => insertedBy(collectionUses[service])))
  return Object.fromEntries(Object.entries(collections).filter(([name]) => inserted.has(name)))
}

/** The views that one of these services creates: the one that may read what they show. */
export function viewsOf(services: Services): Views {
  const isCreated = (name: string) =>
    services.some((service) => collectionUses[service][name]?.includes('createCollection'))
  return Object.fromEntries(Object.entries(views).filter(([name]) => isCreated(name)))
}
