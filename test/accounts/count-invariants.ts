import type { Db } from 'mongodb'
import type { CountsDocument } from '../../src/accounts/counts.ts'
import { dailyCountsIn, dayOf } from '../../src/analytics/daily-counts.ts'
import { toUuid } from '../../src/database/ids.ts'
import type { Transact } from '../../src/database/transaction.ts'
import type { FollowDocument } from '../../src/follows/model.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import type { ReactionDocument } from '../../src/reactions/model.ts'
import { password, type signUp } from '../helper.ts'

export type Somebody = Awaited<ReturnType<typeof signUp>>

export const idOf = async ({ client }: Somebody) => (await client.get<{ id: string }>('v1/account')).body.id

/** Confirms and deletes; the answer's status. */
export async function leave({ client }: Somebody): Promise<number> {
  await client.post('v1/session/confirm', { json: { password } })
  return (await client.delete('v1/account')).statusCode
}

/** What is counted otherwise than it is there, at one moment: nothing, at any. */
export function disagreementsIn(db: Db, transact: Transact): Promise<string[]> {
  return transact(async (session) => {
    const all = <T extends object>(name: string) => db.collection<T>(name).find({}, { session }).toArray()
    const posts = await all<PostDocument>('posts')
    const reactions = await all<ReactionDocument>('reactions')
    const follows = await all<FollowDocument>('follows')
    const counts = await all<CountsDocument>('accountCounts')
    const days = await dailyCountsIn(db).find({}, { session }).toArray()

    const faults: string[] = []
    const expect = (what: string, says: number, there: number) => {
      if (says !== there) faults.push(`${what}: says ${says}, there are ${there}`)
    }
    const tally = (names: unknown[]) => {
      const groups = Map.groupBy(names.map(String), (name) => name)
      return (name: string) => groups.get(name)?.length ?? 0
    }
    const reacted = tally(reactions.map(({ post, value }) => `${post} ${value}`))
    const replied = tally(posts.map(({ replyTo }) => replyTo))
    for (const {
      _id,
      counts: { likes, dislikes, replies },
    } of posts) {
      expect(`likes of ${_id}`, likes, reacted(`${_id} like`))
      expect(`dislikes of ${_id}`, dislikes, reacted(`${_id} dislike`))
      expect(`replies to ${_id}`, replies, replied(String(_id)))
    }
    const [written, followed, following] = [
      tally(posts.map(({ author }) => author)),
      tally(follows.map(({ to }) => to)),
      tally(follows.map(({ from }) => from)),
    ]
    for (const account of counts) {
      const id = String(account._id)
      expect(`posts of ${id}`, account.posts, written(id))
      expect(`followers of ${id}`, account.followers, followed(id))
      expect(`following of ${id}`, account.following, following(id))
    }
    const stand = tally(reactions.map(({ value, order }) => `${dayOf(String(order)).getTime()} ${value}`))
    for (const [at, rows] of Map.groupBy(days, ({ _id }) => _id.day.getTime())) {
      for (const value of ['like', 'dislike'] as const) {
        const says = rows.reduce((sum, row) => sum + row[`${value}s`], 0)
        expect(`${value}s of ${new Date(at).toISOString()}`, says, stand(`${at} ${value}`))
      }
    }
    return faults
  })
}

/** How much of an account is stored anywhere. */
export async function leftOf(db: Db, id: string): Promise<Record<string, number>> {
  const account = toUuid(id)
  const left: Record<string, number> = {}
  const filters: [string, object][] = [
    ['accounts', { _id: account }],
    ['accountCounts', { _id: account }],
    ['credentials', { _id: account }],
    ['usernames', { account }],
    ['sessions', { account }],
    ['devices', { account }],
    ['posts', { author: account }],
    ['reactions', { account }],
    ['follows', { $or: [{ from: account }, { to: account }] }],
  ]
  for (const [name, filter] of filters) {
    const count = await db.collection(name).countDocuments(filter)
    if (count > 0) left[name] = count
  }
  return left
}
