import { setTimeout as delay } from 'node:timers/promises'
import { type Db, UUID } from 'mongodb'
import type { Test } from 'tap'
import type { signUp } from '../helper.ts'

type Person = Awaited<ReturnType<typeof signUp>>
type Value = 'like' | 'dislike' | null
type Counts = { likes: number; dislikes: number; replies: number }

/** What one person was told last. */
type Memory = { value: Value; replies: string[] }

/**
 * Lets people react to one post and reply to it, each one thing after the other, until `enough` is true. What has no
 * answer, or 503, is asked for again, so that in the end everybody has been told everything.
 */
export async function hammer(crowd: readonly Person[], post: string, enough: () => boolean) {
  const statuses = new Map<number, number>()
  const slowest = { ms: 0 }
  const memories = await Promise.all(crowd.map((person, p) => act(person, p)))

  async function ask(send: () => Promise<{ statusCode: number; body: unknown }>) {
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

  async function act({ client, username }: Person, p: number): Promise<Memory> {
    const memory: Memory = { value: null, replies: [] }
    const path = `v1/posts/${post}/reaction`
    for (let n = 0; !enough(); n += 1) {
      const value = (['like', 'dislike', null, 'like'] as const)[(n + p) % 4] ?? null
      if (n % 5 === 4) {
        const json = { text: `${username} ${n}`, replyTo: post }
        const headers = { 'idempotency-key': `${post}.${n}` }
        await ask(() => client.post('v1/posts', { json, headers }))
        memory.replies.push(json.text)
      } else {
        await ask(() => (value === null ? client.delete(path) : client.put(path, { json: { value } })))
        memory.value = value
      }
    }
    return memory
  }

  return { memories, statuses: Object.fromEntries(statuses), slowest: slowest.ms }
}

/** Holds a database against what people were told: each acknowledged write once, each count the number of documents. */
export async function checkHammered(
  t: Test,
  db: Db,
  { crowd, memories, post }: { crowd: readonly Person[]; memories: readonly Memory[]; post: string },
): Promise<void> {
  const _id = new UUID(post)
  const posts = db.collection<{ _id: UUID; author: UUID; text: string; replyTo: UUID | null; counts: Counts }>('posts')
  const reactions = db.collection<{ _id: object; account: UUID; post: UUID; value: Value }>('reactions')
  const usernames = db.collection<{ _id: string; account: UUID }>('usernames')
  const standing = await reactions.find({ post: _id }).toArray()
  const replies = await posts.find({ replyTo: _id }).toArray()
  const counted = (await posts.findOne({ _id }))?.counts
  const count = (value: Value) => standing.filter((reaction) => reaction.value === value).length
  t.same(counted, { likes: count('like'), dislikes: count('dislike'), replies: replies.length }, 'counts are exact')

  const texts = replies.map(({ text }) => text).sort()
  t.same(texts, memories.flatMap((memory) => memory.replies).sort(), 'each acknowledged reply is there once')
  for (const [n, { username }] of crowd.entries()) {
    const account = (await usernames.findOne({ _id: username.toLowerCase() }))?.account
    if (!account) throw new Error('an account is gone')
    const held = standing.filter((reaction) => reaction.account.equals(account)).map(({ value }) => value)
    const told = memories[n]?.value ?? null
    if (held.length > 1 || (held[0] ?? null) !== told) t.fail(`${username} was told ${told}, holds ${held}`)
    const wrote = await posts.countDocuments({ author: account })
    const says = await db.collection<{ _id: UUID; posts: number }>('accountCounts').findOne({ _id: account })
    if (says?.posts !== wrote) t.fail(`${username} wrote ${wrote} posts, the count says ${says?.posts}`)
  }
}
