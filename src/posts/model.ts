import type { UUID } from 'mongodb'
import { timeOf } from '../database/ids.ts'

export type PostCounts = { likes: number; dislikes: number; replies: number }

export type PostDocument = {
  _id: UUID
  author: UUID
  text: string
  editedAt: Date | null
  replyTo: UUID | null
  /** Present on root posts only, so that the public list has a partial index. */
  root?: true
  counts: PostCounts
  /** Incremented by every write, so that one that changes nothing conflicts too: see reactions/react.ts. */
  revision: number
}

export type Post = {
  id: string
  author: string
  text: string
  createdAt: Date
  editedAt: Date | null
  replyTo: string | null
  counts: PostCounts
}

export function toPost({ _id, author, text, editedAt, replyTo, counts }: PostDocument): Post {
  const id = _id.toString()
  return {
    id,
    author: author.toString(),
    text,
    createdAt: timeOf(id),
    editedAt,
    replyTo: replyTo?.toString() ?? null,
    counts,
  }
}

/** Kept for a while after the sweep, so that a retried creation or deletion finds that it was applied. */
export type PostTombstone = {
  _id: UUID
  removal: UUID
  sweptAt?: Date
}

/** The hints of the lists: MongoDB would reuse a plan cached for a long list, such as a scan by `_id`, for a short one. */
export const listIndexes = {
  roots: { root: 1, _id: -1 },
  byAuthor: { author: 1, _id: -1 },
  rootsByAuthor: { author: 1, root: 1, _id: -1 },
  replies: { replyTo: 1, _id: -1 },
} as const

export const postIndexes = [
  { key: listIndexes.roots, partialFilterExpression: { root: true } },
  { key: listIndexes.byAuthor },
  { key: listIndexes.rootsByAuthor, partialFilterExpression: { root: true } },
  { key: listIndexes.replies, partialFilterExpression: { replyTo: { $type: 'binData' } } },
] as const

/** Longer than any command is retried. */
export const postTombstoneIndexes = [{ key: { sweptAt: 1 }, expireAfterSeconds: 600 }] as const
