import type { UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'

/** That one account follows another, as MongoDB keeps it. */
export type FollowDocument = {
  /** At most once, by the primary key; whom somebody follows is read from its index alone. */
  _id: { from: UUID; to: UUID }
  from: UUID
  to: UUID
  /** Made with it: its place in lists, and when it was. */
  order: UUID
}

/** The index of each list, which its query names: see posts/document.ts. */
export const listIndexes = { followers: { to: 1, order: -1 }, following: { from: 1, order: -1 } } as const

export const followIndexes = [{ key: listIndexes.followers }, { key: listIndexes.following }] as const

/** Two accounts, as text. */
export const pairName = (from: string, to: string): string => `${from} ${to}`

export const followKey = (from: string, to: string): FollowDocument['_id'] => ({ from: toUuid(from), to: toUuid(to) })
