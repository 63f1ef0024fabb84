import { type Db, UUID } from 'mongodb'
import { v7 } from 'uuid'
import { highestId } from '../../src/database/ids.ts'
import type { PostDocument } from '../../src/posts/model.ts'

const yearMs = 365 * 86_400_000
const batchSize = 5_000
const text = 'A post of about the length that posts have, the same for every author: all is well in the rookery today.'

/** Authors by how they post. */
export type Authors = { busy: UUID[]; mixed: UUID[]; silent: UUID[]; replying: UUID[]; lapsed: UUID[] }

const createAuthors = (count: number) => Array.from({ length: count }, () => new UUID(v7({ msecs: 0 })))

/** A few authors with very many posts, many with some, and others with none, with replies only, or none for half a year. */
export const newAuthors = (): Authors => ({
  busy: createAuthors(20),
  mixed: createAuthors(4_000),
  silent: createAuthors(5_000),
  replying: createAuthors(1_000),
  lapsed: createAuthors(1_000),
})

/** Writes posts over the last year, in the order of their ids. */
export async function fillPosts(db: Db, authors: Authors, count: number): Promise<void> {
  const posts = db.collection<PostDocument>('posts')
  const begin = Date.now() - yearMs
  const pick = (list: readonly UUID[]) => list[Math.floor(Math.random() ** 2 * list.length)] ?? highestId
  for (let done = 0; done < count; done += batchSize) {
    const documents = Array.from({ length: Math.min(batchSize, count - done) }, (_, n): PostDocument => {
      const age = (done + n) / count
      const dice = Math.random()
      const isReply = dice < 0.3
      const author = isReply
        ? pick(dice < 0.2 ? authors.replying : authors.mixed)
        : pick(dice < 0.6 ? authors.busy : dice > 0.98 && age < 0.5 ? authors.lapsed : authors.mixed)
      return {
        _id: new UUID(v7({ msecs: begin + Math.floor(age * yearMs) })),
        author,
        text,
        editedAt: null,
        replyTo: isReply ? highestId : null,
        ...(!isReply && { root: true as const }),
        counts: { likes: 0, dislikes: 0, replies: 0 },
        revision: 0,
      }
    })
    // The last batch waits for a majority, so that later reads see all of them.
    const fast = done + batchSize < count && ({ w: 1, j: false } as const)
    await posts.insertMany(documents, { ordered: false, ...(fast && { writeConcern: fast }) })
  }
}
