import type { Db } from 'mongodb'
import type { CountsDocument } from '../../src/accounts/counts.ts'
import { dailyCountsIn, dayOf } from '../../src/analytics/daily-counts.ts'
import { toUuid } from '../../src/database/ids.ts'
import { transactor } from '../../src/database/transaction.ts'
import type { FollowDocument } from '../../src/follows/model.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import type { ReactionDocument } from '../../src/reactions/model.ts'
import { password, type signUp } from '../helper.ts'

export type User = Awaited<ReturnType<typeof signUp>>

export const idOf = async ({ client }: User) => (await client.get<{ id: string }>('v1/account')).body.id

/** Confirms the password, deletes the account, and returns the status. */
export async function deleteAccount({ client }: User): Promise<number> {
  await client.post('v1/session/confirm', { json: { password } })
  return (await client.delete('v1/account')).statusCode
}

/** The counts that differ from the documents that they count, in one snapshot. */
export function countMismatches(db: Db): Promise<string[]> {
  return transactor(db.client)(async (session) => {
    const all = <T extends object>(name: string) => db.collection<T>(name).find({}, { session }).toArray()
    const posts = await all<PostDocument>('posts')
    const reactions = await all<ReactionDocument>('reactions')
    const follows = await all<FollowDocument>('follows')
    const counts = await all<CountsDocument>('accountCounts')
    const days = await dailyCountsIn(db).find({}, { session }).toArray()

    const mismatches: string[] = []
    const expect = (name: string, count: number, documents: number) => {
      if (count !== documents) mismatches.push(`${name}: the count is ${count}, there are ${documents}`)
    }
    const countOccurrences = (values: unknown[]) => {
      const groups = Map.groupBy(values.map(String), (value) => value)
      return (value: string) => groups.get(value)?.length ?? 0
    }
    const reacted = countOccurrences(reactions.map(({ post, value }) => `${post} ${value}`))
    const replied = countOccurrences(posts.map(({ replyTo }) => replyTo))
    for (const {
      _id,
      counts: { likes, dislikes, replies },
    } of posts) {
      expect(`likes of ${_id}`, likes, reacted(`${_id} like`))
      expect(`dislikes of ${_id}`, dislikes, reacted(`${_id} dislike`))
      expect(`replies to ${_id}`, replies, replied(String(_id)))
    }
    const [authored, followers, following] = [
      countOccurrences(posts.map(({ author }) => author)),
      countOccurrences(follows.map(({ to }) => to)),
      countOccurrences(follows.map(({ from }) => from)),
    ]
    for (const account of counts) {
      const id = String(account._id)
      expect(`posts of ${id}`, account.posts, authored(id))
      expect(`followers of ${id}`, account.followers, followers(id))
      expect(`following of ${id}`, account.following, following(id))
    }
    const current = countOccurrences(reactions.map(({ value, order }) => `${dayOf(String(order)).getTime()} ${value}`))
    for (const [at, rows] of Map.groupBy(days, ({ _id }) => _id.day.getTime())) {
      for (const value of ['like', 'dislike'] as const) {
        const count = rows.reduce((sum, row) => sum + row[`${value}s`], 0)
        expect(`${value}s of ${new Date(at).toISOString()}`, count, current(`${at} ${value}`))
      }
    }
    return mismatches
  })
}

/** Collections from which a deleted account's documents are deleted in the background. */
const sweptLater = ['activity', 'idempotency']

/**
 * The numbers of documents that belong to an account, by collection; collections without any are left out.
 * @param later - whether to count, too, what is deleted in the background
 */
export async function documentsOf(db: Db, id: string, later = false): Promise<Record<string, number>> {
  const account = toUuid(id)
  const left: Record<string, number> = {}
  const filters: [string, object][] = [
    ['accounts', { _id: account }],
    ['accountCounts', { _id: account }],
    ['credentials', { _id: account }],
    ['usernames', { account }],
    ['sessions', { account }],
    ['devices', { account }],
    ['secondFactors', { _id: account }],
    ['posts', { author: account }],
    ['reactions', { account }],
    ['follows', { $or: [{ from: account }, { to: account }] }],
    ['activity', { account }],
    ['idempotency', { '_id.account': account }],
  ]
  for (const [name, filter] of filters) {
    if (!later && sweptLater.includes(name)) continue
    const count = await db.collection(name).countDocuments(filter)
    if (count > 0) left[name] = count
  }
  return left
}
