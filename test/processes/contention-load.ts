import { setTimeout as delay } from 'node:timers/promises'
import { type Db, UUID } from 'mongodb'
import type { Test } from 'tap'
import type { signUp } from '../helper.ts'

type User = Awaited<ReturnType<typeof signUp>>
type Value = 'like' | 'dislike' | null
type Counts = { likes: number; dislikes: number; replies: number }

/** The last acknowledged state of one user. */
type Acknowledged = { value: Value; replies: string[] }

/**
 * Users react and reply to one post, each in sequence, until `enough()` is true. A request without an answer, or with
 * 503, is retried, so that in the end every write is acknowledged.
 */
export async function runContention(users: readonly User[], post: string, enough: () => boolean) {
  const statuses = new Map<number, number>()
  const slowest = { ms: 0 }
  const acknowledged = await Promise.all(users.map((user, n) => act(user, n)))

  async function retry(send: () => Promise<{ statusCode: number; body: unknown }>) {
    for (;;) {
      const from = performance.now()
      const answer = await send().catch(() => undefined)
      slowest.ms = Math.max(slowest.ms, performance.now() - from)
      const status = answer?.statusCode ?? 0
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
      if (status === 200 || status === 201) return
      if (answer && status !== 503) throw new Error(`${status}: ${JSON.stringify(answer.body)}`)
      await delay(20)
    }
  }

  async function act({ client, username }: User, offset: number): Promise<Acknowledged> {
    const state: Acknowledged = { value: null, replies: [] }
    const path = `v1/posts/${post}/reaction`
    for (let n = 0; !enough(); n += 1) {
      const value = (['like', 'dislike', null, 'like'] as const)[(n + offset) % 4] ?? null
      if (n % 5 === 4) {
        const json = { text: `${username} ${n}`, replyTo: post }
        const headers = { 'idempotency-key': `${post}.${n}` }
        await retry(() => client.post('v1/posts', { json, headers }))
        state.replies.push(json.text)
      } else {
        await retry(() => (value === null ? client.delete(path) : client.put(path, { json: { value } })))
        state.value = value
      }
    }
    return state
  }

  return { acknowledged, statuses: Object.fromEntries(statuses), slowest: slowest.ms }
}

/** Each acknowledged write is stored once, and each count equals the number of documents. */
export async function expectExactState(
  t: Test,
  db: Db,
  { users, acknowledged, post }: { users: readonly User[]; acknowledged: readonly Acknowledged[]; post: string },
): Promise<void> {
  const _id = new UUID(post)
  const posts = db.collection<{ _id: UUID; author: UUID; text: string; replyTo: UUID | null; counts: Counts }>('posts')
  const reactions = db.collection<{ _id: object; account: UUID; post: UUID; value: Value }>('reactions')
  const usernames = db.collection<{ _id: string; account: UUID }>('usernames')
  const current = await reactions.find({ post: _id }).toArray()
  const replies = await posts.find({ replyTo: _id }).toArray()
  const counted = (await posts.findOne({ _id }))?.counts
  const count = (value: Value) => current.filter((reaction) => reaction.value === value).length
  t.same(counted, { likes: count('like'), dislikes: count('dislike'), replies: replies.length }, 'counts are exact')

  const texts = replies.map(({ text }) => text).sort()
  t.same(texts, acknowledged.flatMap((state) => state.replies).sort(), 'each acknowledged reply is stored once')
  for (const [n, { username }] of users.entries()) {
    const account = (await usernames.findOne({ _id: username.toLowerCase() }))?.account
    if (!account) throw new Error('the account does not exist')
    const held = current.filter((reaction) => reaction.account.equals(account)).map(({ value }) => value)
    const last = acknowledged[n]?.value ?? null
    if (held.length > 1 || (held[0] ?? null) !== last) t.fail(`${username}: acknowledged ${last}, stored ${held}`)
    const stored = await posts.countDocuments({ author: account })
    const counts = await db.collection<{ _id: UUID; posts: number }>('accountCounts').findOne({ _id: account })
    if (counts?.posts !== stored) t.fail(`${username}: ${stored} posts stored, ${counts?.posts} counted`)
  }
}
