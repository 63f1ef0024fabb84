import { type Db, UUID } from 'mongodb'
import { v7 } from 'uuid'
import { fill as fillScale } from '../scale/fill.ts'
import { type Account, logIn } from './browser.ts'

/** As large as the limits allow: LIMIT_FOLLOWS, the activity's 200 of each event. */
const followed = 7_500
const posts = 10_000
const reactions = 10_000
const activityEach = 200
const otherSessions = 30
const size = { accounts: followed + 1, posts: 30_000, reactions: 40_000, popular: 7_000 }
const batchSize = 5_000

export type World = { popular: string; usernames: string[] }

async function insert<Stored extends object>(db: Db, name: string, documents: readonly Stored[]): Promise<void> {
  for (let done = 0; done < documents.length; done += batchSize)
    await db.collection<object>(name).insertMany(documents.slice(done, done + batchSize), { ordered: false })
}

/** Fills the database, and makes one account as large as an account can get. */
export async function fill(db: Db, port: number, large: Account): Promise<World> {
  const { ids, popular, usernames } = await fillScale(db, size)
  const account = UUID.createFromHexString(large.id)
  const people = await db
    .collection<{ _id: UUID }>('accounts')
    .find({ _id: { $ne: account } })
    .toArray()
  const begin = Date.now() - 86_400_000
  const orderOf = (n: number) => new UUID(v7({ msecs: begin + n }))
  const counts = { likes: 0, dislikes: 0, replies: 0 }
  const text = 'ᾂ'.repeat(500)
  await insert(
    db,
    'posts',
    Array.from({ length: posts }, (_, n) => ({
      ...{ _id: orderOf(n), author: account, text, editedAt: null, replyTo: null, root: true },
      ...{ counts, revision: 0 },
    })),
  )
  const follows = people.slice(0, followed).flatMap(({ _id }, n) => [
    { _id: { from: account, to: _id }, from: account, to: _id, order: orderOf(n) },
    { _id: { from: _id, to: account }, from: _id, to: account, order: orderOf(n) },
  ])
  await insert(db, 'follows', follows)
  const reacted = ids.slice(0, reactions).map((post, n) => {
    return { _id: { post, account }, post, account, value: 'like', order: orderOf(n) }
  })
  await insert(db, 'reactions', reacted)
  await db
    .collection<{ _id: UUID }>('accountCounts')
    .updateOne({ _id: account }, { $set: { posts, followers: followed, following: followed } })
  const events = ['login', 'login-failed', 'logout', 'session-confirmed', 'session-revoked', 'exported']
  const activity = events.flatMap((event, kind) =>
    Array.from({ length: activityEach }, (_, n) => {
      const at = new Date(begin + kind * activityEach + n)
      const userAgent = `${n} ${'x'.repeat(250)}`
      return { _id: new UUID(v7({ msecs: at.getTime() })), account, event, ip: '192.0.2.1', userAgent, at }
    }),
  )
  await insert(db, 'activity', activity)
  for (let n = 0; n < otherSessions; n += 1) await logIn(port, large)
  return { popular: popular.toString(), usernames }
}
