import type { Document } from 'mongodb'

export type Counter = {
  field: string
  countedCollection: string
  /** The field of the counted documents with the id. An index must begin with it and the fields of `where`. */
  foreignKey: string
  where?: Document
}

export type CounterSet = {
  name: string
  label: string
  collection: string
  storedIn: string
  hasRevision: boolean
  counters: readonly Counter[]
}

/** Reconcile depends on this: a transaction that writes a counted document also writes the one with the counter. */
export const counterSets: readonly CounterSet[] = [
  {
    name: 'posts',
    ...{ label: 'post', collection: 'posts', storedIn: 'posts', hasRevision: true },
    counters: [
      { field: 'counts.likes', countedCollection: 'reactions', foreignKey: 'post', where: { value: 'like' } },
      { field: 'counts.dislikes', countedCollection: 'reactions', foreignKey: 'post', where: { value: 'dislike' } },
      { field: 'counts.replies', countedCollection: 'posts', foreignKey: 'replyTo' },
    ],
  },
  {
    name: 'accounts',
    ...{ label: 'account', collection: 'accounts', storedIn: 'accountCounts', hasRevision: false },
    counters: [
      { field: 'posts', countedCollection: 'posts', foreignKey: 'author' },
      { field: 'followers', countedCollection: 'follows', foreignKey: 'to' },
      { field: 'following', countedCollection: 'follows', foreignKey: 'from' },
    ],
  },
]

export const nameOf = ({ field }: Counter): string => field.slice(field.lastIndexOf('.') + 1)
