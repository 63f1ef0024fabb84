import type { Db } from 'mongodb'
import { follow } from './follows/follow.ts'
import { createPosts } from './posts/create.ts'
import { removePosts } from './posts/delete.ts'
import { editPosts } from './posts/edit.ts'
import { react } from './reactions/react.ts'
import { sweepReactions } from './reactions/sweep.ts'
import { unauthenticated } from './sessions/auth-hooks.ts'
import { type Inside, writerFence } from './writer/fence.ts'
import type { WriteBatch } from './writer/group-commit.ts'

/**
 * Everything that is written in batches, in the order in which a batch writes it. All of a batch was asked for at the
 * same time, so any order is right; in this one nothing is written to a post that the same batch has removed.
 */
const writeKinds = (db: Db, inside: Inside) => ({
  create: createPosts(db, inside),
  edit: editPosts(db),
  react: react(db, inside),
  follow: follow(db, inside),
  remove: removePosts(db),
  sweep: sweepReactions(db, inside),
})

type Kinds = ReturnType<typeof writeKinds>
export type Kind = keyof Kinds
type ItemOf<K extends Kind> = Kinds[K] extends WriteBatch<infer Item, infer _> ? Item : never
type AnswerOf<K extends Kind> = Kinds[K] extends WriteBatch<infer _, infer Answer> ? Answer : never

/**
 * Writes one thing of a kind, together with whatever else is written at the moment; the answer comes after the commit.
 * Items and answers are JSON: they may go to another process and come from it.
 *
 * @throws Problem `unauthenticated` when the account that wants it is no more.
 */
export type Writer = { readonly [K in Kind]: (item: ItemOf<K>) => Promise<AnswerOf<K>> }

/** One thing to write, as it waits and as it travels. */
export type Entry = { kind: Kind; item: object }

type Traits<Item> = {
  /** Names what it writes that others write as well: the post, or an account's counts. */
  key(item: Item): string
  /** Who must have an account for it; null where an account that is gone may still take something back. */
  actor(item: Item): string | null
}

const traits: { readonly [K in Kind]: Traits<ItemOf<K>> } = {
  create: { key: ({ replyTo, author }) => replyTo ?? author, actor: ({ author }) => author },
  edit: { key: ({ post }) => post, actor: ({ by }) => by },
  react: { key: ({ post }) => post, actor: ({ account, value }) => (value === null ? null : account) },
  follow: { key: ({ to }) => to, actor: ({ from, follows }) => (follows ? from : null) },
  remove: { key: ({ post }) => post, actor: () => null },
  sweep: { key: ({ post }) => post, actor: () => null },
}

// What is in an entry fits its kind: makeWriter() typed it.
const traitsOf = ({ kind }: Entry) => traits[kind] as Traits<object>

export const keyOf = (entry: Entry): string => traitsOf(entry).key(entry.item)

/** Marks what was given before and had no answer: it may be written already. */
export const perhapsWritten = ({ kind, item }: Entry): Entry => ({ kind, item: { ...item, again: true } })

/** The answer to whoever has no account any more. */
const gone = 'account gone'

/** One batch for all kinds: things of different kinds touch the same documents, and must not conflict. */
export function writeEntries(db: Db): WriteBatch<Entry, unknown> {
  const fence = writerFence(db)
  return async (entries, session) => {
    const inside = await fence.enter(session)
    const answers = new Map<Entry, unknown>()
    const isOfNobody = (entry: Entry) => inside.isGone(traitsOf(entry).actor(entry.item) ?? '')
    for (const entry of entries.filter(isOfNobody)) answers.set(entry, gone)
    // As in traitsOf().
    for (const [kind, write] of Object.entries(writeKinds(db, inside)) as [Kind, WriteBatch<object, unknown>][]) {
      const own = entries.filter((entry) => entry.kind === kind && !answers.has(entry))
      if (own.length === 0) continue
      const written = await write(
        own.map(({ item }) => item),
        session,
      )
      for (const [n, entry] of own.entries()) answers.set(entry, written[n])
    }
    await fence.pass(inside, session)
    return entries.map((entry) => answers.get(entry))
  }
}

/** The verbs of a writer, over one function that takes entries of all kinds. */
export function makeWriter(submit: (entry: Entry) => Promise<unknown>): Writer {
  const verb = (kind: Kind) => async (item: object) => {
    const answer = await submit({ kind, item })
    if (answer === gone) throw unauthenticated()
    return answer
  }
  // Each verb's item and answer are those of the kind that it names.
  return Object.fromEntries(Object.keys(traits).map((kind) => [kind, verb(kind as Kind)])) as Writer
}
