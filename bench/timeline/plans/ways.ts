import type { Collection, Document, UUID } from 'mongodb'
import type { PostDocument } from '../../../src/posts/document.ts'

export type Posts = Collection<PostDocument>
/** Reads the newest `limit` root posts of these authors before a place; newest first. */
export type Way = (posts: Posts, authors: UUID[], before: UUID, limit: number) => Promise<UUID[]>

const byAuthor = { author: 1, _id: -1 }
const roots = { root: 1, _id: -1 }
export const rootsByAuthor = { author: 1, root: 1, _id: -1 }
const partial = { partialFilterExpression: { root: true } }

export const oldIndexes = [{ key: roots, ...partial }, { key: byAuthor }]
export const newIndex = { key: rootsByAuthor, ...partial }

/** So many places of an index MongoDB merges in their order: internalQueryMaxScansToExplode. */
const mostMerged = 200

const latestFirst = (one: UUID, other: UUID) => Buffer.compare(other.buffer, one.buffer)

async function find(posts: Posts, authors: UUID[], before: UUID, limit: number, hint?: Document): Promise<UUID[]> {
  const filter = { author: { $in: authors }, root: true as const, _id: { $lt: before } }
  const found = posts.find(filter, { projection: { _id: 1 }, batchSize: limit + 1, ...(hint && { hint }) })
  return (await found.sort({ _id: -1 }).limit(limit).toArray()).map(({ _id }) => _id)
}

const inChunks =
  (hint: Document): Way =>
  async (posts, authors, before, limit) => {
    const chunks: UUID[][] = []
    for (let n = 0; n < authors.length; n += mostMerged) chunks.push(authors.slice(n, n + mostMerged))
    const found = await Promise.all(chunks.map((chunk) => find(posts, chunk, before, limit, hint)))
    return found.flat().sort(latestFirst).slice(0, limit)
  }

/** First the newest post of each author, by jumps through the index; then those who can be on the page. */
const newestOfEachFirst: Way = async (posts, authors, before, limit) => {
  const filter = { author: { $in: authors }, root: true as const, _id: { $lt: before } }
  const latest = await posts
    .aggregate<{ _id: UUID }>(
      [
        { $match: filter },
        { $sort: rootsByAuthor },
        { $group: { _id: '$author', newest: { $first: '$_id' } } },
        { $sort: { newest: -1 } },
        { $limit: limit + 1 },
      ],
      { hint: rootsByAuthor, batchSize: limit + 2 },
    )
    .toArray()
  const those = latest.slice(0, limit).map(({ _id }) => _id)
  return find(posts, those, before, limit, rootsByAuthor)
}

/** First the newest posts of everybody; only if they do not fill the page, another way. */
const probing =
  (most: number, otherwise: Way): Way =>
  async (posts, authors, before, limit) => {
    const page = await posts
      .aggregate<{ _id: UUID }>(
        [
          { $match: { root: true, _id: { $lt: before } } },
          { $sort: { _id: -1 } },
          { $limit: most },
          { $match: { author: { $in: authors } } },
          { $limit: limit },
          { $project: { _id: 1 } },
        ],
        { hint: roots, batchSize: limit + 1 },
      )
      .toArray()
    return page.length === limit ? page.map(({ _id }) => _id) : otherwise(posts, authors, before, limit)
  }

/** MongoDB chooses how. */
export const unhinted: Way = (posts, authors, before, limit) => find(posts, authors, before, limit)

const chunksOfRoots = inChunks(rootsByAuthor)
/** The least work for few authors, and for many. */
const byNumber: Way = (posts, authors, before, limit) =>
  (authors.length > mostMerged ? newestOfEachFirst : chunksOfRoots)(posts, authors, before, limit)

/** The ways that are the same whatever was read before. */
export const ways = {
  'c1: chunks, {author, _id}': inChunks(byAuthor),
  'c2: chunks, {author, root, _id}': chunksOfRoots,
  'd: hint {root, _id}': (posts, authors, before, limit) => find(posts, authors, before, limit, roots),
  'e1: one $in, hint {author, root, _id}': (posts, authors, before, limit) =>
    find(posts, authors, before, limit, rootsByAuthor),
  'e2: newest of each first': newestOfEachFirst,
  'e3: 200 of everybody, then e2': probing(200, newestOfEachFirst),
  'e4: c2 to 200 authors, e2 above': byNumber,
} satisfies Record<string, Way>
