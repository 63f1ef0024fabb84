import { type Db, UUID } from 'mongodb'
import { v7 } from 'uuid'
import { highestId } from '../../src/database/ids.ts'
import type { PostDocument } from '../../src/posts/model.ts'

const day = 86_400_000
const year = 365 * day
const atOnce = 5_000
const text = 'This is what somebody has to say, of the length that posts have: all is well here in the rookery today.'

/** Who writes, by how they write. */
export type Authors = { busy: UUID[]; mixed: UUID[]; silent: UUID[]; replying: UUID[]; lapsed: UUID[] }

const some = (count: number) => Array.from({ length: count }, () => new UUID(v7({ msecs: 0 })))

/** Few with very many posts, many with some, and as many with none, with replies only, and with none for half a year. */
export const newAuthors = (): Authors => ({
  busy: some(20),
  mixed: some(4_000),
  silent: some(5_000),
  replying: some(1_000),
  lapsed: some(1_000),
})

/** Writes posts over the last year, in the order of their ids. */
export async function fillPosts(db: Db, authors: Authors, count: number): Promise<void> {
  const posts = db.collection<PostDocument>('posts')
  const begin = Date.now() - year
  const one = (list: readonly UUID[]) => list[Math.floor(Math.random() ** 2 * list.length)] ?? highestId
  for (let done = 0; done < count; done += atOnce) {
    const documents = Array.from({ length: Math.min(atOnce, count - done) }, (_, n): PostDocument => {
      const age = (done + n) / count
      const dice = Math.random()
      const isReply = dice < 0.3
      const author = isReply
        ? one(dice < 0.2 ? authors.replying : authors.mixed)
        : one(dice < 0.6 ? authors.busy : dice > 0.98 && age < 0.5 ? authors.lapsed : authors.mixed)
      return {
        _id: new UUID(v7({ msecs: begin + Math.floor(age * year) })),
        author,
        text,
        editedAt: null,
        replyTo: isReply ? highestId : null,
        ...(!isReply && { root: true as const }),
        counts: { likes: 0, dislikes: 0, replies: 0 },
        revision: 0,
      }
    })
    // The last of them by a majority, so that all are read from now on.
    const fast = done + atOnce < count && ({ w: 1, j: false } as const)
    await posts.insertMany(documents, { ordered: false, ...(fast && { writeConcern: fast }) })
  }
}
