import type { UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'

export type FollowDocument = {
  /** Unique for each pair. Its index covers the query for all accounts that an account follows. */
  _id: { from: UUID; to: UUID }
  from: UUID
  to: UUID
  /** The order key: a UUIDv7 set on insert. */
  order: UUID
}

/** The index of each list, named as the hint of its query: see posts/model.ts. */
export const listIndexes = { followers: { to: 1, order: -1 }, following: { from: 1, order: -1 } } as const

export const followIndexes = [{ key: listIndexes.followers }, { key: listIndexes.following }] as const

export const pairName = (from: string, to: string): string => `${from} ${to}`

export const followKey = (from: string, to: string): FollowDocument['_id'] => ({ from: toUuid(from), to: toUuid(to) })
