import type { Db, UUID } from 'mongodb'
import t from 'tap'
import { v7 } from 'uuid'
import { dailyCountsIn, dayMs } from '../../src/analytics/daily-counts.ts'
import { newId, timeOf, toUuid } from '../../src/database/ids.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import type { ReactionDocument } from '../../src/reactions/model.ts'
import { makeClient, password, signUp, testServer } from '../helper.ts'
import { twoServers } from '../sessions/servers.ts'

type Sum = { likes: number; dislikes: number }
type Days = { items: ({ date: string } & Sum)[]; total: Sum }
type Client = ReturnType<typeof makeClient>

const dateOf = (time: number) => new Date(time).toISOString().slice(0, 10)
const from = dateOf(Date.now() - 300 * dayMs)
const to = dateOf(Date.now() + dayMs)
const readCounts = async (client: Client) =>
  (await client.get<Days>(`v1/analytics/reactions?from=${from}&to=${to}`)).body

/** Counts the reactions of existing posts by the day of their order key. */
async function recount(db: Db): Promise<Map<string, Sum>> {
  const posts = await db.collection<PostDocument>('posts').find().toArray()
  const existing = new Set(posts.map(({ _id }) => String(_id)))
  const sums = new Map<string, Sum>()
  for (const { post, value, order } of await db.collection<ReactionDocument>('reactions').find().toArray()) {
    if (!existing.has(String(post))) continue
    const date = dateOf(timeOf(String(order)).getTime())
    const sum = sums.get(date) ?? { likes: 0, dislikes: 0 }
    sum[`${value}s`] += 1
    sums.set(date, sum)
  }
  return sums
}

const nonZero = ({ items }: Days) =>
  new Map(items.flatMap(({ date, likes, dislikes }) => (likes + dislikes === 0 ? [] : [[date, { likes, dislikes }]])))

/** Moves a reaction and its daily count to another day. */
async function moveReaction(db: Db, post: string, account: string, msecs: number) {
  const reactions = db.collection<ReactionDocument>('reactions')
  const _id = { post: toUuid(post), account: toUuid(account) }
  const found = await reactions.findOne({ _id })
  if (!found) throw new Error('the reaction does not exist')
  await reactions.updateOne({ _id }, { $set: { order: toUuid(v7({ msecs })) } })
  const days = dailyCountsIn(db)
  const dayAt = (time: number) => ({ day: new Date(Math.floor(time / dayMs) * dayMs), writer: 77 })
  const [previous, next] = [timeOf(String(found.order)).getTime(), msecs]
  await days.updateOne({ _id: dayAt(previous) }, { $inc: { [`${found.value}s`]: -1 } }, { upsert: true })
  await days.updateOne({ _id: dayAt(next) }, { $inc: { [`${found.value}s`]: 1 } }, { upsert: true })
  await days.updateMany({ likes: { $exists: false } }, { $set: { likes: 0 } })
  await days.updateMany({ dislikes: { $exists: false } }, { $set: { dislikes: 0 } })
}

t.test(
  'the daily counts equal a recount after concurrent reactions on two servers, and deletions of posts and an account',
  async (t) => {
    const { urls, db } = await twoServers(t)
    const users = await Promise.all(Array.from({ length: 6 }, (_, n) => signUp(urls[n % 2 ? 1 : 0])))
    const idOf = async (client: Client) => (await client.get<{ id: string }>('v1/account')).body.id
    const posts: { id: string; client: Client }[] = []
    for (let n = 0; n < 12; n += 1) {
      const { client } = users[n % 6] ?? { client: makeClient(urls[0]) }
      posts.push({ id: (await client.post<{ id: string }>('v1/posts', { json: { text: '.' } })).body.id, client })
    }
    for (let round = 0; round < 3; round += 1) {
      await Promise.all(
        users.map(async ({ client }) => {
          for (let n = 0; n < 30; n += 1) {
            const post = posts[Math.floor(Math.random() * posts.length)]?.id
            const dice = Math.random()
            if (dice < 0.25) await client.delete(`v1/posts/${post}/reaction`)
            else await client.put(`v1/posts/${post}/reaction`, { json: { value: dice < 0.7 ? 'like' : 'dislike' } })
          }
        }),
      )
      const deleted = posts.splice(round, 1)[0]
      // Not to the post that goes: it could take the past days with it.
      const post = { $ne: toUuid(deleted?.id ?? '') }
      for (const [n, { client }] of users.entries()) {
        const account = await idOf(client)
        const stored = await db.collection<ReactionDocument>('reactions').findOne({ account: toUuid(account), post })
        // A past day, at its first or last millisecond.
        const at = Math.floor(Date.now() / dayMs - 20 * (n + 1)) * dayMs + (round % 2 ? dayMs - 1 : 0)
        if (stored) await moveReaction(db, String(stored.post), account, at)
      }
      t.equal((await deleted?.client.delete(`v1/posts/${deleted.id}`))?.statusCode, 204)
      const sums = await recount(db)
      t.same(nonZero(await readCounts(users[round]?.client ?? makeClient(urls[0]))), sums, `round ${round}`)
      t.ok(sums.size > 3, `${sums.size} days`)
    }
    const [leaver] = users
    if (!leaver) throw new Error('no account was created')
    await leaver.client.post('v1/session/confirm', { json: { password } })
    t.equal((await leaver.client.delete('v1/account')).statusCode, 204)
    const other = users[1]?.client ?? makeClient(urls[0])
    const answer = await readCounts(other)
    t.same(nonZero(answer), await recount(db), 'after the deletion of an account')
    t.same(answer.total, {
      likes: answer.items.reduce((sum, { likes }) => sum + likes, 0),
      dislikes: answer.items.reduce((sum, { dislikes }) => sum + dislikes, 0),
    })
  },
)

t.test('the counts exclude the reactions of a deleted post at once, before they are swept', async (t) => {
  const { url, db } = await testServer(t)
  const [ann, bob] = [await signUp(url), await signUp(url)]
  const { id } = (await ann.client.post<{ id: string }>('v1/posts', { json: { text: '.' } })).body
  await bob.client.put(`v1/posts/${id}/reaction`, { json: { value: 'like' } })
  t.match((await readCounts(ann.client)).total, { likes: 1 })
  // As after a crash between the deletion and the sweep.
  const post = toUuid(id)
  await db.collection<{ _id: UUID }>('posts').deleteOne({ _id: post })
  await db.collection<{ _id: UUID; removal: UUID }>('removedPosts').insertOne({ _id: post, removal: toUuid(newId()) })
  t.same((await readCounts(ann.client)).total, { likes: 0, dislikes: 0 })
  t.equal(await db.collection('reactions').countDocuments(), 1, 'not swept yet')
})
