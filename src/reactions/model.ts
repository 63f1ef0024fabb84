import type { UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import type { ReactionValue } from './value.ts'

/** A reaction as MongoDB keeps it. */
export type ReactionDocument = {
  /** At most one reaction of an account to a post, by the primary key. */
  _id: { post: UUID; account: UUID }
  post: UUID
  account: UUID
  value: ReactionValue
  /** Made with the reaction and kept when its value changes: its place in lists, and when it was. */
  order: UUID
}

/** The index of each list, which its query names: see posts/document.ts. */
export const listIndexes = {
  ofPost: { post: 1, value: 1, order: -1 },
  byAccount: { account: 1, value: 1, order: -1 },
} as const

export const reactionIndexes = [{ key: listIndexes.ofPost }, { key: listIndexes.byAccount }] as const

/** One account and one post, as text. */
export const pairName = (post: string, account: string): string => `${post} ${account}`

export const reactionKey = (post: string, account: string): ReactionDocument['_id'] => ({
  post: toUuid(post),
  account: toUuid(account),
})
