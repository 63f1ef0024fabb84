import type { Connection } from '../../src/database/connection.ts'
import { connect } from '../servers/connect.ts'
import type { Stored } from './stored.ts'

type Id = { toString(): string }
type Counts = { likes: number; dislikes: number }

/** Reads what Rookery or a peer has written: the same collections, with counts in `counts` or beside the text. */
export async function storedInMongodb(connection: Connection): Promise<Stored> {
  const { client, db } = await connect(connection)
  return {
    countPosts: () => db.collection('posts').countDocuments(),
    async sumOfPostCounts() {
      const rows = await db.collection<{ posts: number }>('accountCounts').find().toArray()
      return rows.length === 0 ? undefined : rows.reduce((sum, { posts }) => sum + posts, 0)
    },
    async reactions() {
      const cursor = db.collection<{ post: Id; account: Id; value: string }>('reactions').find()
      return cursor.map(({ post, account, value }) => ({ post: `${post}`, account: `${account}`, value })).toArray()
    },
    async counts() {
      const cursor = db.collection<{ _id: Id; counts?: Counts } & Partial<Counts>>('posts').find()
      const stored = ({ _id, counts, likes = 0, dislikes = 0 }: { _id: Id; counts?: Counts } & Partial<Counts>) => ({
        post: `${_id}`,
        likes: counts?.likes ?? likes,
        dislikes: counts?.dislikes ?? dislikes,
      })
      return cursor.map(stored).toArray()
    },
    close: () => client.close(),
  }
}
