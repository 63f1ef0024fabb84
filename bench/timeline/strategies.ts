import type { Collection, Document, UUID } from 'mongodb'
import type { PostDocument } from '../../src/posts/model.ts'

type Posts = Collection<PostDocument>
/** Reads the newest `limit` posts of these authors, without replies, before a position. */
export type Strategy = (posts: Posts, authors: UUID[], before: UUID, limit: number) => Promise<UUID[]>

const newest = { _id: -1 } as const
const byAuthor = { author: 1, _id: -1 }
const rootsByAuthor = { author: 1, root: 1, _id: -1 }
const roots = { root: 1, _id: -1 }

async function find(posts: Posts, authors: UUID[], before: UUID, limit: number, hint?: Document): Promise<UUID[]> {
  const filter = { author: { $in: authors }, root: true as const, _id: { $lt: before } }
  const found = posts.find(filter, { projection: { _id: 1 }, batchSize: limit + 1, ...(hint && { hint }) })
  return (await found.sort(newest).limit(limit).toArray()).map(({ _id }) => _id)
}

/** In chunks of authors, each of which MongoDB reads as one merge of as many index ranges. */
const inChunks =
  (hint: Document, size: number): Strategy =>
  async (posts, authors, before, limit) => {
    const chunks = Array.from({ length: Math.ceil(authors.length / size) }, (_, n) =>
      authors.slice(n * size, (n + 1) * size),
    )
    const found = await Promise.all(chunks.map((chunk) => find(posts, chunk, before, limit, hint)))
    const order = (one: UUID, other: UUID) => Buffer.compare(other.buffer, one.buffer)
    return found.flat().sort(order).slice(0, limit)
  }

/** Tries to fill the page from the newest posts of all authors; if they do not suffice, reads in chunks. */
const newestFirst =
  (maxScanned: number): Strategy =>
  async (posts, authors, before, limit) => {
    const wanted = new Set(authors.map((author) => author.toString('hex')))
    const found = await posts
      .find({ root: true, _id: { $lt: before } }, { projection: { author: 1 }, batchSize: maxScanned + 1, hint: roots })
      .sort(newest)
      .limit(maxScanned)
      .toArray()
    const page = found.filter(({ author }) => wanted.has(author.toString('hex'))).slice(0, limit)
    if (page.length === limit || found.length < maxScanned) return page.map(({ _id }) => _id)
    return inChunks(rootsByAuthor, 200)(posts, authors, before, limit)
  }

/** For more authors than MongoDB merges: finds those who wrote last, each by one entry of the index, then reads theirs. */
const latestAuthors: Strategy = async (posts, authors, before, limit) => {
  if (authors.length <= 200) return find(posts, authors, before, limit, rootsByAuthor)
  const latest = posts.aggregate<{ _id: UUID }>(
    [
      { $match: { author: { $in: authors }, root: true, _id: { $lt: before } } },
      { $sort: rootsByAuthor },
      { $group: { _id: '$author', newest: { $first: '$_id' } } },
      { $sort: { newest: -1 } },
      { $limit: limit },
    ],
    { hint: rootsByAuthor, batchSize: limit + 1 },
  )
  const found = (await latest.toArray()).map(({ _id }) => _id)
  return find(posts, found, before, limit, rootsByAuthor)
}

/** What `timeline/store.ts` does, and what it did before: the last row of each table is the ratio of the two. */
export const compared = { now: 'latest authors, then their posts', before: 'chunks of 200 on {author, root, _id}' }

export const strategies: Record<string, Strategy> = {
  'one $in': (posts, authors, before, limit) => find(posts, authors, before, limit),
  'one $in, hint on {author, root, _id}': (posts, authors, before, limit) =>
    find(posts, authors, before, limit, rootsByAuthor),
  'chunks of 200 on {author, _id}': inChunks(byAuthor, 200),
  [compared.before]: inChunks(rootsByAuthor, 200),
  [compared.now]: latestAuthors,
  'hint on {root, _id}': (posts, authors, before, limit) => find(posts, authors, before, limit, roots),
  'newest 200 of all, then chunks': newestFirst(200),
}
