import type { UUID } from 'mongodb'
import { timeOf } from '../database/ids.ts'

export type PostCounts = { likes: number; dislikes: number; replies: number }

/** A post as MongoDB keeps it. */
export type PostDocument = {
  _id: UUID
  author: UUID
  text: string
  editedAt: Date | null
  replyTo: UUID | null
  /** Present on what is no reply: the public list reads an index of these alone. */
  root?: true
  counts: PostCounts
  /** Grows with each batch that counts something here: see reactions/react.ts. */
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

/**
 * A post that was removed. Its reactions can be reached no more, and are to be removed after it; then it is kept for a
 * while, so that a removal or a creation that is given again finds what became of it.
 */
export type PostTombstone = {
  _id: UUID
  /** The removal that did it. */
  removal: UUID
  /** When the last of its reactions was gone. */
  sweptAt?: Date
}

/**
 * The index of each list. Queries name theirs: left to itself MongoDB keeps the plan that was best for a long list, such as
 * to walk through all posts by `_id`, for a short one as well.
 */
export const listIndexes = {
  roots: { root: 1, _id: -1 },
  byAuthor: { author: 1, _id: -1 },
  /** Of those that are no replies, for timelines. */
  rootsByAuthor: { author: 1, root: 1, _id: -1 },
  replies: { replyTo: 1, _id: -1 },
} as const

export const postIndexes = [
  { key: listIndexes.roots, partialFilterExpression: { root: true } },
  { key: listIndexes.byAuthor },
  { key: listIndexes.rootsByAuthor, partialFilterExpression: { root: true } },
  { key: listIndexes.replies, partialFilterExpression: { replyTo: { $type: 'binData' } } },
] as const

/** Longer than anything is given again. */
export const postTombstoneIndexes = [{ key: { sweptAt: 1 }, expireAfterSeconds: 600 }] as const
