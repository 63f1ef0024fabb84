import type { Document } from 'mongodb'

/** A number that is kept so that nobody has to count. */
export type Counter = {
  /** Where it stands in the document that keeps it; its last part is its name. */
  field: string
  /** The collection whose documents it counts. */
  of: string
  /** The field of those documents that names the thing they count for. An index must begin with it and `where`. */
  by: string
  where?: Document
}

/** Things that have counters. */
export type Kind = {
  name: string
  /** one of them */
  thing: string
  /** Has a document for each of them. */
  things: string
  /** Has, under the same `_id`, the document with the counters. */
  keptIn: string
  /** Whether that document has a `revision`, which grows with each write to its counters. */
  revised: boolean
  counters: readonly Counter[]
}

/**
 * Every counter there is. Whoever writes what is counted must write the document that keeps the counter in the same
 * transaction: on that all of this folder rests.
 */
export const kinds: readonly Kind[] = [
  {
    name: 'posts',
    ...{ thing: 'post', things: 'posts', keptIn: 'posts', revised: true },
    counters: [
      { field: 'counts.likes', of: 'reactions', by: 'post', where: { value: 'like' } },
      { field: 'counts.dislikes', of: 'reactions', by: 'post', where: { value: 'dislike' } },
      { field: 'counts.replies', of: 'posts', by: 'replyTo' },
    ],
  },
  {
    name: 'accounts',
    ...{ thing: 'account', things: 'accounts', keptIn: 'accountCounts', revised: false },
    counters: [
      { field: 'posts', of: 'posts', by: 'author' },
      { field: 'followers', of: 'follows', by: 'to' },
      { field: 'following', of: 'follows', by: 'from' },
    ],
  },
]

export const nameOf = ({ field }: Counter): string => field.slice(field.lastIndexOf('.') + 1)
