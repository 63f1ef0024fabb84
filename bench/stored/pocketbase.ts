import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Stored } from './stored.ts'

/** Reads what PocketBase has written. */
export async function storedInPocketbase(dataDir: string): Promise<Stored> {
  const database = new DatabaseSync(join(dataDir, 'data.db'), { readOnly: true })
  const all = (sql: string) => database.prepare(sql).all()
  return {
    countPosts: async () => all('SELECT id FROM posts').length,
    sumOfPostCounts: async () => undefined,
    reactions: async () =>
      all('SELECT post, account, value FROM reactions').map(({ post, account, value }) => ({
        post: String(post),
        account: String(account),
        value: String(value),
      })),
    counts: async () =>
      all('SELECT id, likes, dislikes FROM posts').map(({ id, likes, dislikes }) => ({
        post: String(id),
        likes: Number(likes),
        dislikes: Number(dislikes),
      })),
    close: async () => database.close(),
  }
}
