import type { Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import { singleBatch } from '../database/single-batch.ts'
import type { Position } from '../http/pages.ts'
import { listIndexes, type PostDocument } from '../posts/model.ts'

/**
 * MongoDB merges up to this many index ranges in order (internalQueryMaxScansToExplode). For more authors it would sort
 * all their posts, or scan all posts by `_id`: see docs/decisions/0013-timeline.md.
 */
const maxMergedAuthors = 200
/** For one timeline: an account that follows thousands must leave connections for other requests. */
const maxConcurrentQueries = 8

/** Fan-out on read: nothing is stored for a timeline. */
export function timelineStore(db: Db) {
  const posts: Collection<PostDocument> = db.collection('posts')

  async function newest(authors: UUID[], { after, limit }: Position): Promise<string[]> {
    const found = await posts
      .find(
        { author: { $in: authors }, root: true, ...(after !== undefined && { _id: { $lt: toUuid(after) } }) },
        { projection: { _id: 1 }, hint: listIndexes.rootsByAuthor, ...singleBatch(limit + 1) },
      )
      .sort({ _id: -1 })
      .limit(limit + 1)
      .toArray()
    return found.map(({ _id }) => _id.toString())
  }

  return {
    /** The ids of these authors' posts without replies, newest first; up to one more than the limit. */
    async list(authors: readonly UUID[], position: Position): Promise<string[]> {
      const chunks: UUID[][] = []
      for (let n = 0; n < authors.length; n += maxMergedAuthors) chunks.push(authors.slice(n, n + maxMergedAuthors))
      let found: string[] = []
      while (chunks.length > 0) {
        const lists = await Promise.all(chunks.splice(0, maxConcurrentQueries).map((chunk) => newest(chunk, position)))
        found = [found, ...lists]
          .flat()
          .sort()
          .reverse()
          .slice(0, position.limit + 1)
      }
      return found
    },
  }
}

export type TimelineStore = ReturnType<typeof timelineStore>
