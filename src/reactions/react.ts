import type { AnyBulkWriteOperation, Collection } from 'mongodb'
import { addDailyCounts, type DailyChange } from '../analytics/daily-counts.ts'
import { toUuid } from '../database/ids.ts'
import { singleBatch } from '../database/single-batch.ts'
import type { PostCounts, PostDocument } from '../posts/model.ts'
import type { BatchContext } from '../writer/batch-context.ts'
import type { WriteOperation } from '../writer/operation.ts'
import { idHint, keyFilter, keysFilter, pairName, type ReactionDocument, reactionKey } from './model.ts'
import type { ReactionValue } from './value.ts'

/** @property order - a UUIDv7: the order key of the reaction, if this command creates it */
export type ReactCommand = { post: string; account: string; value: ReactionValue | null; order: string }

export type ReactResult =
  | { outcome: 'reacted'; value: ReactionValue | null; counts: PostCounts }
  | { outcome: 'not-found' }

export const react: WriteOperation<ReactCommand, ReactResult> = {
  name: 'react',
  key: ({ post }) => post,
  actor: ({ account, value }) => (value === null ? null : account),
  apply: applyReactions,
}

type Reaction = { value: ReactionValue; order: string } | null

type Pair = { post: string; account: string; before: Reaction; after: Reaction }

/** A changed reaction keeps its order key; a reaction that is set again after a withdrawal gets a new one. */
const fold = (current: Reaction, { value, order }: ReactCommand): Reaction =>
  value === null ? null : { value, order: current?.order ?? order }

function countDifferences(pairs: Iterable<Pair>): Map<string, { likes: number; dislikes: number }> {
  const sums = new Map<string, { likes: number; dislikes: number }>()
  for (const { post, before, after } of pairs) {
    const sum = sums.get(post) ?? { likes: 0, dislikes: 0 }
    const difference = (value: ReactionValue) => Number(after?.value === value) - Number(before?.value === value)
    sums.set(post, { likes: sum.likes + difference('like'), dislikes: sum.dislikes + difference('dislike') })
  }
  return sums
}

const isUnchanged = ({ before, after }: Pair) => before?.value === after?.value && before?.order === after?.order

function toBulkWrites(pair: Pair): AnyBulkWriteOperation<ReactionDocument>[] {
  if (isUnchanged(pair)) return []
  const { post, account, before, after } = pair
  if (after === null) return []
  const _id = reactionKey(post, account)
  const fields = { value: after.value, order: toUuid(after.order) }
  return before === null
    ? [{ insertOne: { document: { _id, post: _id.post, account: _id.account, ...fields } } }]
    : [{ updateOne: { filter: keyFilter(_id), hint: idHint, update: { $set: fields } } }]
}

function toDailyChanges(pair: Pair): DailyChange[] {
  if (isUnchanged(pair)) return []
  const { before, after } = pair
  return [
    ...(before ? [{ ...before, difference: -1 as const }] : []),
    ...(after ? [{ ...after, difference: 1 as const }] : []),
  ]
}

/** Every post is written (`revision`: an $inc by 0 is no write), so that its concurrent deletion conflicts. */
async function applyReactions(
  { db, session, writer, isDeleted }: BatchContext,
  commands: readonly ReactCommand[],
): Promise<ReactResult[]> {
  const reactions: Collection<ReactionDocument> = db.collection('reactions')
  const posts: Collection<PostDocument> = db.collection('posts')

  const ids = [...new Set(commands.map(({ post }) => post))]
  const projection = { author: 1, counts: 1 }
  const existing = await posts
    .find({ _id: { $in: ids.map(toUuid) } }, { session, projection, ...singleBatch(ids.length) })
    .toArray()
  const byId = new Map(existing.map(({ _id, ...post }) => [_id.toString(), post]))
  /** Posts of a deleted account are visible to deleted accounts only, whose reactions are being withdrawn. */
  const isVisible = ({ post, account }: ReactCommand) => {
    const author = byId.get(post)?.author.toString()
    return author !== undefined && (!isDeleted(author) || isDeleted(account))
  }

  const visible = commands.filter(isVisible)
  const pairs = new Map<string, Pair>()
  for (const { post, account } of visible) {
    pairs.set(pairName(post, account), { post, account, before: null, after: null })
  }
  const keys = [...pairs.values()].map(({ post, account }) => reactionKey(post, account))
  const found =
    keys.length === 0
      ? []
      : await reactions.find(keysFilter(keys), { session, hint: idHint, ...singleBatch(keys.length) }).toArray()
  for (const { post, account, value, order } of found) {
    const pair = pairs.get(pairName(post.toString(), account.toString()))
    if (pair) pair.before = pair.after = { value, order: order.toString() }
  }
  for (const command of visible) {
    const pair = pairs.get(pairName(command.post, command.account))
    if (pair) pair.after = fold(pair.after, command)
  }

  const differences = countDifferences(pairs.values())
  if (differences.size > 0) {
    await posts.bulkWrite(
      [...differences].map(([post, { likes, dislikes }]) => ({
        updateOne: {
          filter: { _id: toUuid(post) },
          update: { $inc: { 'counts.likes': likes, 'counts.dislikes': dislikes, revision: 1 } },
        },
      })),
      { session, ordered: false },
    )
  }
  const bulkWrites = [...pairs.values()].flatMap(toBulkWrites)
  const withdrawn = [...pairs.values()].filter(({ before, after }) => before !== null && after === null)
  if (withdrawn.length > 0) {
    const filter = keysFilter(withdrawn.map(({ post, account }) => reactionKey(post, account)))
    bulkWrites.push({ deleteMany: { filter, hint: idHint } })
  }
  if (bulkWrites.length > 0) await reactions.bulkWrite(bulkWrites, { session, ordered: false })
  await addDailyCounts(db, session, writer, [...pairs.values()].flatMap(toDailyChanges))

  return commands.map((command): ReactResult => {
    const counts = byId.get(command.post)?.counts
    const difference = differences.get(command.post)
    if (!counts || !difference || !isVisible(command)) return { outcome: 'not-found' }
    const likes = counts.likes + difference.likes
    const dislikes = counts.dislikes + difference.dislikes
    return { outcome: 'reacted', value: command.value, counts: { ...counts, likes, dislikes } }
  })
}
