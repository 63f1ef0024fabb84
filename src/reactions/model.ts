import type { UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import type { ReactionValue } from './value.ts'

export type ReactionDocument = {
  /** Unique for each pair: an account has at most one reaction to a post. */
  _id: { post: UUID; account: UUID }
  post: UUID
  account: UUID
  value: ReactionValue
  /** The order key: a UUIDv7 set on insert and kept when the value changes. */
  order: UUID
}

export const listIndexes = {
  ofPost: { post: 1, value: 1, order: -1 },
  byAccount: { account: 1, value: 1, order: -1 },
} as const

export const dayIndex = { order: 1, value: 1 } as const

export const reactionIndexes = [{ key: listIndexes.ofPost }, { key: listIndexes.byAccount }, { key: dayIndex }] as const

export const pairName = (post: string, account: string): string => `${post} ${account}`

/** Filters of reactions by their `_id`, which name the shard key as well; the hint keeps MongoDB from a list's index. */
export const keyFilter = (_id: ReactionDocument['_id']) => ({ _id, post: _id.post })
export const keysFilter = (ids: readonly ReactionDocument['_id'][]) => ({
  _id: { $in: [...ids] },
  post: { $in: ids.map(({ post }) => post) },
})
export const idHint = '_id_'

export const reactionKey = (post: string, account: string): ReactionDocument['_id'] => ({
  post: toUuid(post),
  account: toUuid(account),
})
