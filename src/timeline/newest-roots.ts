import type { Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import { boundedTime } from '../database/max-time.ts'
import { singleBatch } from '../database/single-batch.ts'
import type { SnapshotOptions } from '../database/snapshot.ts'
import type { Position } from '../http/pages.ts'
import { listIndexes, type PostDocument } from '../posts/model.ts'

/** MongoDB merges no more index ranges in order (internalQueryMaxScansToExplode): docs/decisions/0013-timeline.md. */
export const maxMergedAuthors = 200

const rootsOf = (authors: readonly UUID[], { after }: Position) => ({
  author: { $in: [...authors] },
  root: true as const,
  ...(after !== undefined && { _id: { $lt: toUuid(after) } }),
})

/** Ids of posts without replies, newest first, up to one more than the limit. At most {@link maxMergedAuthors}. */
export async function newestRoots(
  db: Db,
  authors: readonly UUID[],
  position: Position,
  options?: SnapshotOptions,
): Promise<string[]> {
  const posts: Collection<PostDocument> = db.collection('posts')
  const count = position.limit + 1
  const found = await posts
    .find(rootsOf(authors, position), {
      projection: { _id: 1 },
      hint: listIndexes.rootsByAuthor,
      ...boundedTime,
      ...singleBatch(count),
      ...options,
    })
    .sort({ _id: -1 })
    .limit(count)
    .toArray()
  return found.map(({ _id }) => _id.toString())
}

/** The authors of {@link newestRoots} for any number of candidates: as many as its posts can have. */
export async function latestAuthors(
  db: Db,
  authors: readonly UUID[],
  position: Position,
  options: SnapshotOptions,
): Promise<UUID[]> {
  const posts: Collection<PostDocument> = db.collection('posts')
  const found = await posts
    .aggregate<{ _id: UUID }>(
      [
        { $match: rootsOf(authors, position) },
        // In the order of the index, $first makes MongoDB skip from author to author (DISTINCT_SCAN).
        { $sort: listIndexes.rootsByAuthor },
        { $group: { _id: '$author', newest: { $first: '$_id' } } },
        { $sort: { newest: -1 } },
        { $limit: position.limit + 1 },
      ],
      { hint: listIndexes.rootsByAuthor, ...options, ...boundedTime, ...singleBatch(position.limit + 1) },
    )
    .toArray()
  return found.map(({ _id }) => _id)
}
