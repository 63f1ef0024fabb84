import { type Db, UUID } from 'mongodb'
import { v7 } from 'uuid'
import { highestId, lowestId } from '../../../src/database/ids.ts'
import type { FollowDocument } from '../../../src/follows/document.ts'
import type { PostDocument } from '../../../src/posts/document.ts'

export const year = 365 * 86_400_000
const atOnce = 5_000
const text = 'This is what somebody has to say, of the length that posts have: all is well here in the rookery today.'

/** Accounts by how they write: much, some (few much, most little), hardly ever, only replies, no more for half a year. */
export type Authors = Record<'busy' | 'mixed' | 'silent' | 'replying' | 'lapsed', UUID[]>

const some = (count: number) => Array.from({ length: count }, () => new UUID(v7()))

export const newAuthors = (): Authors => ({
  busy: some(20),
  mixed: some(4_000),
  silent: some(6_000),
  replying: some(1_000),
  lapsed: some(1_000),
})

/** One of a list, the n-th about 1/n as often as the first. */
const oneOf = (list: readonly UUID[]): UUID => list[Math.floor(list.length ** Math.random()) - 1] ?? lowestId

/** Whose a post is that was written at this part of the year. */
function authorAt(age: number, isReply: boolean, authors: Authors): UUID {
  const dice = Math.random()
  if (isReply) return oneOf(dice < 0.67 ? authors.replying : authors.mixed)
  if (age < 0.04 && dice < 0.15) return authors.silent[Math.floor(Math.random() * 3_000)] ?? lowestId
  if (age < 0.5 && dice < 0.3) return oneOf(authors.lapsed)
  return dice > 0.55 ? (authors.busy[Math.floor(Math.random() * 20)] ?? lowestId) : oneOf(authors.mixed)
}

export function newPost(age: number, msecs: number, authors: Authors): PostDocument {
  const isReply = Math.random() < 0.3
  return {
    _id: new UUID(v7({ msecs })),
    author: authorAt(age, isReply, authors),
    text,
    editedAt: null,
    replyTo: isReply ? highestId : null,
    ...(!isReply && { root: true as const }),
    counts: { likes: 0, dislikes: 0, replies: 0 },
    revision: 0,
  }
}

/** Posts over a year, written in the order of their ids. */
export async function fillPosts(db: Db, authors: Authors, count: number): Promise<void> {
  const posts = db.collection<PostDocument>('posts')
  const begin = Date.now() - year
  for (let done = 0; done < count; done += atOnce) {
    const documents = Array.from({ length: Math.min(atOnce, count - done) }, (_, n) => {
      const age = (done + n) / count
      return newPost(age, begin + Math.floor(age * year), authors)
    })
    // The last of them by a majority, so that all are read from now on.
    const fast = done + atOnce < count && ({ w: 1, j: false } as const)
    await posts.insertMany(documents, { ordered: false, ...(fast && { writeConcern: fast }) })
  }
}

/** Everybody of a list is followed by a new account. */
export async function followAll(db: Db, followed: readonly UUID[]): Promise<UUID> {
  const [from = lowestId] = some(1)
  const follows = followed.map((to): FollowDocument => ({ _id: { from, to }, from, to, order: new UUID(v7()) }))
  await db.collection<FollowDocument>('follows').insertMany(follows, { ordered: false })
  return from
}
