import type { Db } from 'mongodb'
import type { WriteBatch } from '../database/group-commit.ts'
import { createPosts } from '../posts/create.ts'
import { editPosts } from '../posts/edit.ts'
import { removePosts } from '../posts/remove.ts'
import { react } from '../reactions/react.ts'

/**
 * Everything that is written in batches, in the order in which a batch writes it. All of a batch was asked for at the
 * same time, so any order is right; in this one nothing is written to a post that the same batch has removed.
 */
const writeKinds = (db: Db) => ({
  create: createPosts(db),
  edit: editPosts(db),
  react: react(db),
  remove: removePosts(db),
})

type Kinds = ReturnType<typeof writeKinds>
export type Kind = keyof Kinds
type ItemOf<K extends Kind> = Kinds[K] extends WriteBatch<infer Item, infer _> ? Item : never
type AnswerOf<K extends Kind> = Kinds[K] extends WriteBatch<infer _, infer Answer> ? Answer : never

/**
 * Writes one thing of a kind, together with whatever else is written at the moment; the answer comes after the commit.
 * Items and answers are JSON: they may go to another process and come from it.
 */
export type Writer = { readonly [K in Kind]: (item: ItemOf<K>) => Promise<AnswerOf<K>> }

/** One thing to write, as it waits and as it travels. */
export type Entry = { kind: Kind; item: object }

/**
 * Names what an entry writes that others write as well: the post, or the counts of its author. They are those of one
 * kind or another.
 */
export function keyOf({ item }: Entry): string {
  const { post, replyTo, author } = item as { post?: string; replyTo?: string | null; author?: string }
  return post ?? replyTo ?? author ?? ''
}

/** Marks what was given before and had no answer: it may be written already. */
export const perhapsWritten = ({ kind, item }: Entry): Entry => ({ kind, item: { ...item, again: true } })

/** One batch for all kinds: things of different kinds touch the same documents, and must not conflict. */
export function writeEntries(db: Db): WriteBatch<Entry, unknown> {
  // What is in an entry fits its kind: makeWriter() typed it.
  const kinds = Object.entries(writeKinds(db)) as [Kind, WriteBatch<object, unknown>][]
  return async (entries, session) => {
    const answers = new Map<Entry, unknown>()
    for (const [kind, write] of kinds) {
      const own = entries.filter((entry) => entry.kind === kind)
      if (own.length === 0) continue
      const written = await write(
        own.map(({ item }) => item),
        session,
      )
      for (const [n, entry] of own.entries()) answers.set(entry, written[n])
    }
    return entries.map((entry) => answers.get(entry))
  }
}

/** The verbs of a writer, over one function that takes entries of all kinds. */
export function makeWriter(submit: (entry: Entry) => Promise<unknown>): Writer {
  const verb = (kind: Kind) => (item: object) => submit({ kind, item })
  // Each verb's item and answer are those of the kind that it names.
  return { create: verb('create'), edit: verb('edit'), react: verb('react'), remove: verb('remove') } as Writer
}
