import type { UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'

export type FollowDocument = {
  _id: { from: UUID; to: UUID }
  from: UUID
  to: UUID
  order: UUID
}

export const listIndexes = { followers: { to: 1, order: -1 }, following: { from: 1, order: -1 } } as const

export const followedIndex = { from: 1, to: 1 } as const

export const followIndexes = [
  { key: listIndexes.followers },
  { key: listIndexes.following },
  { key: followedIndex },
] as const

export const keyFilter = (_id: FollowDocument['_id']) => ({ _id, from: _id.from })
export const keysFilter = (ids: readonly FollowDocument['_id'][]) => ({
  _id: { $in: [...ids] },
  from: { $in: ids.map(({ from }) => from) },
})
export const idHint = '_id_'

export const pairName = (from: string, to: string): string => `${from} ${to}`

export const followKey = (from: string, to: string): FollowDocument['_id'] => ({ from: toUuid(from), to: toUuid(to) })
