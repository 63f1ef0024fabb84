import type { ClientSession, Collection, Db } from 'mongodb'
import { addPosts } from '../accounts/counts.ts'
import { toUuid } from '../database/ids.ts'
import { singleBatch } from '../database/single-batch.ts'
import type { BatchContext } from '../writer/batch-context.ts'
import type { WriteOperation } from '../writer/operation.ts'
import { addReplies, noCounts } from './counts.ts'
import { type Claim, idempotencyRecords } from './idempotency.ts'
import type { PostDocument, PostTombstone } from './model.ts'

/** The id is chosen in advance and identifies a retry; under a claim, at most one post is created. */
export type CreatePostCommand = {
  id: string
  author: string
  text: string
  replyTo: string | null
  claim: Claim | null
  retry?: boolean
}

export type CreatePostResult =
  | { outcome: 'created' }
  | { outcome: 'parent-not-found' | 'key-reused' }
  | { outcome: 'replayed'; post: string }

export const createPost: WriteOperation<CreatePostCommand, CreatePostResult> = {
  name: 'createPost',
  key: ({ replyTo, author }) => replyTo ?? author,
  actor: ({ author }) => author,
  apply: applyCreatePosts,
}

const toDocument = ({ id, author, text, replyTo }: CreatePostCommand): PostDocument => ({
  _id: toUuid(id),
  author: toUuid(author),
  text,
  editedAt: null,
  replyTo: replyTo === null ? null : toUuid(replyTo),
  ...(replyTo === null && { root: true }),
  counts: noCounts,
  revision: 0,
})

async function readAuthors(db: Db, ids: readonly string[], session: ClientSession): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map()
  const posts: Collection<PostDocument> = db.collection('posts')
  const query = { _id: { $in: ids.map(toUuid) } }
  const found = await posts.find(query, { session, projection: { author: 1 }, ...singleBatch(ids.length) }).toArray()
  return new Map(found.map(({ _id, author }) => [_id.toString(), author.toString()]))
}

/** The ids of retries whose first submission was applied, even if the post has been deleted since. */
async function readAlreadyApplied(
  { db, session }: BatchContext,
  commands: readonly CreatePostCommand[],
): Promise<Set<string>> {
  const ids = commands.filter(({ retry }) => retry).map(({ id }) => id)
  if (ids.length === 0) return new Set()
  const tombstones: Collection<PostTombstone> = db.collection('removedPosts')
  const query = { _id: { $in: ids.map(toUuid) } }
  const deleted = await tombstones.find(query, { session, ...singleBatch(ids.length) }).toArray()
  const authors = await readAuthors(db, ids, session)
  return new Set([...authors.keys(), ...deleted.map(({ _id }) => _id.toString())])
}

async function applyCreatePosts(
  context: BatchContext,
  commands: readonly CreatePostCommand[],
): Promise<CreatePostResult[]> {
  const { db, session, isDeleted } = context
  const alreadyApplied = await readAlreadyApplied(context, commands)
  const parents = await readAuthors(db, [...new Set(commands.flatMap(({ replyTo }) => replyTo ?? []))], session)
  const isVisible = (post: string) => !isDeleted(parents.get(post) ?? '') && parents.has(post)
  const records = await idempotencyRecords(db).read(commands, session)

  const created: CreatePostCommand[] = []
  const replayed = new Set<string>()
  const results = commands.map((command): CreatePostResult => {
    if (alreadyApplied.has(command.id)) return { outcome: 'created' }
    const earlier = records.of(command)
    if (earlier && !earlier.sameBody) return { outcome: 'key-reused' }
    if (earlier) {
      replayed.add(earlier.post)
      return { outcome: 'replayed', post: earlier.post }
    }
    if (command.replyTo !== null && !isVisible(command.replyTo)) return { outcome: 'parent-not-found' }
    records.add(command)
    created.push(command)
    return { outcome: 'created' }
  })

  const posts: Collection<PostDocument> = db.collection('posts')
  if (created.length > 0) {
    const documents = created.map(toDocument)
    const authors = documents.map(({ author }) => author)
    const repliedTo = documents.flatMap(({ replyTo }) => replyTo ?? [])
    await posts.insertMany(documents, { session, ordered: false })
    await addPosts(db, session, authors, 1)
    await addReplies(db, session, repliedTo, 1)
    await records.write()
  }
  if (replayed.size > 0) {
    // Otherwise a late commit of a deletion would not conflict, and would delete a post that was acknowledged once more.
    const query = { _id: { $in: [...replayed].map(toUuid) } }
    await posts.updateMany(query, { $inc: { revision: 1 } }, { session })
  }
  return results
}
