import type { Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import { inOneAnswer } from '../database/single-batch.ts'
import type { Position } from '../http/pages.ts'
import { listIndexes, type PostDocument } from '../posts/model.ts'

/**
 * MongoDB merges as many places of an index in their order (internalQueryMaxScansToExplode). Of more authors it would
 * read all posts and sort them, or walk through everybody's: see docs/decisions/0013-timeline.md.
 */
const mostMerged = 200
/** Queries of one reader at a time: whoever follows very many must leave connections for others. */
const mostAtOnce = 8

/** Reads timelines when they are asked for: nothing is kept of them. */
export function timelineStore(db: Db) {
  const posts: Collection<PostDocument> = db.collection('posts')

  /** From the index alone. */
  async function newest(authors: UUID[], { after, limit }: Position): Promise<string[]> {
    const found = await posts
      .find(
        { author: { $in: authors }, root: true, ...(after !== undefined && { _id: { $lt: toUuid(after) } }) },
        { projection: { _id: 1 }, hint: listIndexes.rootsByAuthor, ...inOneAnswer(limit + 1) },
      )
      .sort({ _id: -1 })
      .limit(limit + 1)
      .toArray()
    return found.map(({ _id }) => _id.toString())
  }

  return {
    /** The ids of what these accounts wrote that is no reply, newest first; one more than was asked for. */
    async list(authors: readonly UUID[], position: Position): Promise<string[]> {
      const chunks: UUID[][] = []
      for (let n = 0; n < authors.length; n += mostMerged) chunks.push(authors.slice(n, n + mostMerged))
      let found: string[] = []
      while (chunks.length > 0) {
        const some = await Promise.all(chunks.splice(0, mostAtOnce).map((chunk) => newest(chunk, position)))
        found = [found, ...some]
          .flat()
          .sort()
          .reverse()
          .slice(0, position.limit + 1)
      }
      return found
    },
  }
}
