import type { UUID } from 'mongodb'

/**
 * An account that was removed. What it has written can be seen no more, and is removed after it: see sweep.ts. Then it
 * is kept for a while, longer than its tokens are taken anywhere and anything is given to a writer again.
 */
export type RemovedAccount = {
  _id: UUID
  at: Date
  /** When the last of what it had written was gone. */
  sweptAt?: Date
}

export const removedAccountIndexes = [{ key: { sweptAt: 1 }, expireAfterSeconds: 600 }] as const
