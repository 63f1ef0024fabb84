import type { Db, UUID } from 'mongodb'
import { v7 } from 'uuid'
import { newId, toUuid } from '../../src/database/ids.ts'
import type { PostDocument } from '../../src/posts/model.ts'

export const ids = (count: number) => Array.from({ length: count }, () => toUuid(newId()))

/** Seeds posts by random authors, some more often than others; three in ten posts are replies. */
export async function seedPosts(db: Db, authors: readonly UUID[], count: number) {
  const begin = Date.now() - 10 * 86_400_000
  const documents = Array.from({ length: count }, (_, n): PostDocument => {
    const isReply = n % 10 < 3
    return {
      _id: toUuid(v7({ msecs: begin + n * 1_000 })),
      author: authors[Math.floor(Math.random() ** 2 * authors.length)] ?? toUuid(newId()),
      text: '.',
      editedAt: null,
      replyTo: isReply ? toUuid(newId()) : null,
      ...(!isReply && { root: true as const }),
      counts: { likes: 0, dislikes: 0, replies: 0 },
      revision: 0,
    }
  })
  await db.collection<PostDocument>('posts').insertMany(documents)
  return documents
}

/** Makes an account follow others, of which the server need not know. */
export async function seedFollows(db: Db, account: string, followed: readonly UUID[]) {
  const from = toUuid(account)
  const follows = followed.map((to) => ({ _id: { from, to }, from, to, order: toUuid(newId()) }))
  await db.collection<{ _id: object }>('follows').insertMany(follows)
}
