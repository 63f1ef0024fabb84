import { setTimeout as delay } from 'node:timers/promises'
import { UUID } from 'mongodb'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { signUp, testServer } from '../helper.ts'

type Counts = { likes: number; dislikes: number; replies: number }
type Reacted = { value: 'like' | 'dislike' | null; counts: Counts }
type ReactionDocument = { _id: object; post: UUID; account: UUID; value: string }
type PostDocument = { _id: UUID; counts: Counts }

t.test('concurrent reactions', { timeout: 220_000 }, async (t) => {
  const { url, app } = await testServer(t)
  const { db } = app
  const users = await Promise.all(Array.from({ length: 20 }, () => signUp(url)))
  type User = (typeof users)[number]
  const [ann] = users
  if (!ann) throw new Error('no accounts')
  const reactions = db.collection<ReactionDocument>('reactions')
  const posts = db.collection<PostDocument>('posts')
  const newPost = async () => (await ann.client.post<{ id: string }>('v1/posts', { json: { text: 'React' } })).body.id

  /** Sets or withdraws a reaction, and retries on 503: both are idempotent. */
  async function react({ client }: User, id: string, value: Reacted['value']) {
    for (let attempt = 0; attempt < 40; attempt += 1) {
      const path = `v1/posts/${id}/reaction`
      const answer = await (value === null
        ? client.delete<Reacted>(path)
        : client.put<Reacted>(path, { json: { value } }))
      if (answer.statusCode !== 503) return answer
      await delay(50)
    }
    throw new Error('still 503 after 40 attempts')
  }

  async function recount(id: string) {
    const of = (value: string) => reactions.countDocuments({ post: new UUID(id), value })
    return { likes: await of('like'), dislikes: await of('dislike'), replies: 0 }
  }

  t.test('counts stay exact under thousands of likes, dislikes and withdrawals', async (t) => {
    const ids = await Promise.all(Array.from({ length: 5 }, newPost))
    const expected = new Map<string, Reacted['value']>()
    const wrong: unknown[] = []
    const each = async (user: User, p: number) => {
      for (let n = 0; n < 100; n += 1) {
        const id = ids[(n + p) % ids.length] ?? ''
        const value = ([`like`, `dislike`, null] as const)[(n * 7 + p * 5 + (n >> 2)) % 3] ?? null
        const { statusCode, body } = await react(user, id, value)
        const { likes, dislikes } = body.counts
        const counted = value === 'like' ? likes > 0 : value === 'dislike' ? dislikes > 0 : true
        const possible = likes >= 0 && dislikes >= 0 && likes + dislikes <= users.length
        if (statusCode !== 200 || body.value !== value || !counted || !possible) wrong.push({ statusCode, body, value })
        expected.set(`${id} ${user.username}`, value)
      }
    }
    // Reaction and count are written in one transaction: no snapshot has one without the other.
    let isWriting = true
    const torn: unknown[] = []
    let snapshots = 0
    const observe = async () => {
      for (; isWriting; snapshots += 1) {
        const _id = new UUID(ids[snapshots % ids.length])
        const [post, found] = await app.transact(async (session) => {
          const post = await posts.findOne({ _id }, { session })
          return [post, await reactions.find({ post: _id }, { session }).toArray()] as const
        })
        const of = (value: string) => found.filter((reaction) => reaction.value === value).length
        const { likes, dislikes } = post?.counts ?? { likes: -1, dislikes: -1 }
        if (likes !== of('like') || dislikes !== of('dislike')) torn.push({ likes, dislikes, found: found.length })
      }
    }
    const observing = observe()
    await Promise.all(users.map(each))
    isWriting = false
    await observing
    t.ok(snapshots > 20, `${snapshots} snapshots`)
    t.same(torn, [], 'counts and documents agree in every snapshot')
    t.same(wrong, [], 'each answer has its own value, and counts that include it')
    for (const id of ids) {
      const values = [...expected].filter(([key]) => key.startsWith(id)).map(([, value]) => value)
      const of = (value: string) => values.filter((one) => one === value).length
      const post = await posts.findOne({ _id: new UUID(id) })
      t.same(post?.counts, { likes: of('like'), dislikes: of('dislike'), replies: 0 }, 'as the clients were answered')
      t.same(post?.counts, await recount(id), 'as the documents are')
      const strays = await reactions.countDocuments({ post: new UUID(id), value: { $nin: ['like', 'dislike'] } })
      t.equal(strays, 0)
    }
  })

  t.test('30 concurrent reactions of one account all get 200 and leave at most one reaction', async (t) => {
    const id = await newPost()
    for (const round of [1, 2, 3]) {
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, n) => react(ann, id, (['like', 'dislike', null] as const)[n % 3] ?? null)),
      )
      t.same(
        answers.filter(({ statusCode }) => statusCode !== 200).map(({ statusCode }) => statusCode),
        [],
        `round ${round}`,
      )
      t.ok(answers.every(({ body }, n) => body.value === (['like', 'dislike', null] as const)[n % 3]))
      const { likes, dislikes } = await recount(id)
      t.ok(likes + dislikes <= 1)
      t.same((await posts.findOne({ _id: new UUID(id) }))?.counts, { likes, dislikes, replies: 0 })
    }
  })

  t.test('20 concurrent first likes of one account: one is stored, all get 200', async (t) => {
    const id = await newPost()
    const answers = await Promise.all(Array.from({ length: 20 }, () => react(ann, id, 'like')))
    for (const { body } of answers) t.same(body, { value: 'like', counts: { likes: 1, dislikes: 0, replies: 0 } })
    t.same(await recount(id), { likes: 1, dislikes: 0, replies: 0 })
  })

  t.test('a post deleted while it is liked answers 404 and keeps no reaction', async (t) => {
    const answers: number[] = []
    for (let round = 0; round < 10; round += 1) {
      const id = await newPost()
      const reacted: number[] = []
      let deletion: Promise<unknown> | undefined
      const each = async (user: User) => {
        for (const value of ['like', 'dislike', null, 'like'] as const) {
          reacted.push((await react(user, id, value)).statusCode)
          if (reacted.length > 2 * round) deletion ??= ann.client.delete(`v1/posts/${id}`)
        }
      }
      await Promise.all(users.map(each))
      t.match(await deletion, { statusCode: 204 })
      answers.push(...reacted)
      answers.push((await react(users[5] ?? ann, id, 'like')).statusCode)
      t.equal(answers.at(-1), 404, 'a reaction after the deletion gets 404')
    }
    t.same([...new Set(answers)].sort(), [200, 404])
    const existing = await posts.distinct('_id')
    const left = () => reactions.countDocuments({ post: { $nin: existing } })
    const unsweptTombstones = () => db.collection('removedPosts').countDocuments({ sweptAt: { $exists: false } })
    await t.resolves(
      eventually(async () => (await unsweptTombstones()) === 0),
      'the sweep ends',
    )
    t.equal(await left(), 0, 'the sweep deleted the rest')
  })
})
