import { type Db, UUID } from 'mongodb'
import { v7 } from 'uuid'
import { type DailyCountsDocument, dayMs } from '../../src/analytics/daily-counts.ts'
import type { FollowDocument } from '../../src/follows/model.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import type { ReactionDocument } from '../../src/reactions/model.ts'

/** How much a database holds. @property popular - of the reactions, those to one post */
export type Size = { accounts: number; posts: number; reactions: number; popular: number }

/** What the measured requests ask for. @property ids - of posts, oldest first */
export type Filled = { ids: UUID[]; popular: UUID; usernames: string[] }

const yearMs = 365 * dayMs
const batchSize = 5_000
const followsEach = 20
const text = 'A post of about the length that posts have, the same for every author: all is well in the rookery today.'

/** Inserts what `next` makes, in batches; the last one waits for a majority, so that later reads see all. */
async function insertMany<Stored extends object>(db: Db, name: string, count: number, next: (n: number) => Stored) {
  for (let done = 0; done < count; done += batchSize) {
    const documents = Array.from({ length: Math.min(batchSize, count - done) }, (_, n) => next(done + n))
    const fast = done + batchSize < count && ({ w: 1, j: false } as const)
    await db.collection(name).insertMany(documents, { ordered: false, ...(fast && { writeConcern: fast }) })
  }
}

/** Writes accounts, their follows, posts of the last year and their reactions, as the server would have, sign-ups aside. */
export async function fill(db: Db, { accounts, posts, reactions, popular }: Size): Promise<Filled> {
  const begin = Date.now() - yearMs
  const atAge = (part: number) => new UUID(v7({ msecs: begin + Math.floor(part * yearMs) }))
  const people = Array.from({ length: accounts }, (_, n) => ({ id: atAge(n / accounts), username: `person_${n}` }))
  // The first accounts write, and are followed, more than the others.
  const someone = () => people[Math.floor(Math.random() ** 2 * accounts)] ?? { id: new UUID(v7()), username: '' }
  const personAt = (n: number) => people[n % accounts] ?? someone()

  await insertMany(db, 'accounts', accounts, (n) => {
    const { id: _id, username } = personAt(n)
    return { _id, username, displayName: `Person ${n}`, bio: 'Reads more than it writes.' }
  })
  await insertMany(db, 'usernames', accounts, (n) => ({ _id: personAt(n).username, account: personAt(n).id }))

  const sums = new Map<string, { posts: number; followers: number; following: number }>()
  const sumOf = (id: UUID) => {
    const known = sums.get(id.toString()) ?? { posts: 0, followers: 0, following: 0 }
    sums.set(id.toString(), known)
    return known
  }
  await insertMany<FollowDocument>(db, 'follows', accounts * followsEach, (n) => {
    const from = personAt(Math.floor(n / followsEach))
    const to = personAt(Math.floor(n / followsEach) + 1 + (n % followsEach) ** 2)
    sumOf(from.id).following += 1
    sumOf(to.id).followers += 1
    return { _id: { from: from.id, to: to.id }, from: from.id, to: to.id, order: new UUID(v7()) }
  })

  const ids = Array.from({ length: posts }, (_, n) => atAge(n / posts))
  const middle = Math.floor(posts / 2)
  const popularPost = ids[middle] ?? new UUID(v7())
  const share = (reactions - popular) / (posts - 1)
  /** Without the popular post, which has its own. */
  const others = ids.toSpliced(middle, 1)
  await insertMany<PostDocument>(db, 'posts', posts, (n) => {
    const author = someone().id
    sumOf(author).posts += 1
    const _id = ids[n] ?? new UUID(v7())
    const isReply = n % 3 === 0 && !_id.equals(popularPost)
    const likes = _id.equals(popularPost) ? popular : Math.round(share)
    return {
      ...{ _id, author, text, editedAt: null, replyTo: isReply ? popularPost : null },
      ...(!isReply && { root: true as const }),
      ...{ counts: { likes, dislikes: 0, replies: _id.equals(popularPost) ? Math.ceil(posts / 3) : 0 }, revision: 0 },
    }
  })
  await insertMany(db, 'accountCounts', accounts, (n) => ({ _id: personAt(n).id, ...sumOf(personAt(n).id) }))

  const days = new Map<number, DailyCountsDocument>()
  await insertMany<ReactionDocument>(db, 'reactions', reactions, (n) => {
    const post = n < popular ? popularPost : (others[Math.floor((n - popular) / share)] ?? popularPost)
    const msecs = begin + Math.floor((n / reactions) * yearMs)
    // A prime apart: no account reacts twice to a post.
    const account = personAt(n * 7_919).id
    const day = new Date(Math.floor(msecs / dayMs) * dayMs)
    const row = days.get(day.getTime()) ?? { _id: { day, writer: 1 }, likes: 0, dislikes: 0 }
    days.set(day.getTime(), row)
    row.likes += 1
    return { _id: { post, account }, post, account, value: 'like', order: new UUID(v7({ msecs })) }
  })
  await insertMany(db, 'reactionDays', days.size, (n) => [...days.values()][n] ?? {})
  return { ids, popular: popularPost, usernames: people.map(({ username }) => username) }
}
