import type { Collections } from '../database/indexes.ts'

/**
 * Without sessions and devices, no cookie works in a restored database: a session that was ended after the backup would
 * otherwise live again, and an owner's refresh token, used since, would look stolen. `lastSeen` and `revocations` are of
 * sessions, `throttle` and `usedChallenges` of the present quarter of an hour, `versions` of the database: see data-version.ts.
 * `outbox` has links that work, and mails that would be sent a second time.
 */
const leftOut = ['devices', 'lastSeen', 'outbox', 'revocations', 'sessions', 'throttle', 'usedChallenges', 'versions']

/** The collections that a backup holds. */
export const savedOf = (collections: Collections): string[] =>
  Object.keys(collections).filter((name) => !leftOut.includes(name))
