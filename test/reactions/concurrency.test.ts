import { setTimeout as delay } from 'node:timers/promises'
import { UUID } from 'mongodb'
import t from 'tap'
import { signUp, testServer } from '../helper.ts'

type Counts = { likes: number; dislikes: number; replies: number }
type Reacted = { value: 'like' | 'dislike' | null; counts: Counts }
type ReactionDocument = { _id: object; post: UUID; account: UUID; value: string }
type PostDocument = { _id: UUID; counts: Counts }

t.test('reactions at once', { timeout: 220_000 }, async (t) => {
  const { url, app } = await testServer(t)
  const { db } = app
  const people = await Promise.all(Array.from({ length: 20 }, () => signUp(url)))
  type Person = (typeof people)[number]
  const [ann] = people
  if (!ann) throw new Error('nobody signed up')
  const reactions = db.collection<ReactionDocument>('reactions')
  const posts = db.collection<PostDocument>('posts')
  const newPost = async () => (await ann.client.post<{ id: string }>('v1/posts', { json: { text: 'React' } })).body.id

  /** One wish, repeated while the server says 503: it is idempotent. */
  async function wish({ client }: Person, id: string, value: Reacted['value']) {
    for (let attempt = 0; attempt < 40; attempt += 1) {
      const path = `v1/posts/${id}/reaction`
      const answer = await (value === null
        ? client.delete<Reacted>(path)
        : client.put<Reacted>(path, { json: { value } }))
      if (answer.statusCode !== 503) return answer
      await delay(50)
    }
    throw new Error('503 again and again')
  }

  async function recount(id: string) {
    const of = (value: string) => reactions.countDocuments({ post: new UUID(id), value })
    return { likes: await of('like'), dislikes: await of('dislike'), replies: 0 }
  }

  t.test('counts stay exact under thousands of likes, dislikes and withdrawals', async (t) => {
    const ids = await Promise.all(Array.from({ length: 5 }, newPost))
    const held = new Map<string, Reacted['value']>()
    const wrong: unknown[] = []
    const each = async (who: Person, p: number) => {
      for (let n = 0; n < 100; n += 1) {
        const id = ids[(n + p) % ids.length] ?? ''
        const value = ([`like`, `dislike`, null] as const)[(n * 7 + p * 5 + (n >> 2)) % 3] ?? null
        const { statusCode, body } = await wish(who, id, value)
        const { likes, dislikes } = body.counts
        const counted = value === 'like' ? likes > 0 : value === 'dislike' ? dislikes > 0 : true
        const possible = likes >= 0 && dislikes >= 0 && likes + dislikes <= people.length
        if (statusCode !== 200 || body.value !== value || !counted || !possible) wrong.push({ statusCode, body, value })
        held.set(`${id} ${who.username}`, value)
      }
    }
    // Reaction and count are one write: no moment shows one without the other.
    let writing = true
    const torn: unknown[] = []
    let looks = 0
    const look = async () => {
      for (; writing; looks += 1) {
        const _id = new UUID(ids[looks % ids.length])
        const [post, found] = await app.transact(async (session) => {
          const post = await posts.findOne({ _id }, { session })
          return [post, await reactions.find({ post: _id }, { session }).toArray()] as const
        })
        const of = (value: string) => found.filter((reaction) => reaction.value === value).length
        const { likes, dislikes } = post?.counts ?? { likes: -1, dislikes: -1 }
        if (likes !== of('like') || dislikes !== of('dislike')) torn.push({ likes, dislikes, found: found.length })
      }
    }
    const looking = look()
    await Promise.all(people.map(each))
    writing = false
    await looking
    t.ok(looks > 20, `${looks} looks`)
    t.same(torn, [], 'counts and documents agree at every moment')
    t.same(wrong, [], 'each answer’s value is its own, its counts have it')
    for (const id of ids) {
      const wanted = [...held].filter(([key]) => key.startsWith(id)).map(([, value]) => value)
      const of = (value: string) => wanted.filter((held) => held === value).length
      const post = await posts.findOne({ _id: new UUID(id) })
      t.same(post?.counts, { likes: of('like'), dislikes: of('dislike'), replies: 0 }, 'what the clients hold')
      t.same(post?.counts, await recount(id), 'what the documents say')
      const strays = await reactions.countDocuments({ post: new UUID(id), value: { $nin: ['like', 'dislike'] } })
      t.equal(strays, 0)
    }
  })

  t.test('one account at many things at once holds one reaction, and nobody gets 500', async (t) => {
    const id = await newPost()
    for (const round of [1, 2, 3]) {
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, n) => wish(ann, id, (['like', 'dislike', null] as const)[n % 3] ?? null)),
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

  t.test('the first like of all at once, from one account: one insert wins, all are answered', async (t) => {
    const id = await newPost()
    const answers = await Promise.all(Array.from({ length: 20 }, () => wish(ann, id, 'like')))
    for (const { body } of answers) t.same(body, { value: 'like', counts: { likes: 1, dislikes: 0, replies: 0 } })
    t.same(await recount(id), { likes: 1, dislikes: 0, replies: 0 })
  })

  t.test('reacting to a post that is deleted meanwhile: 200 or 404, and nothing is left', async (t) => {
    const answers: number[] = []
    for (let round = 0; round < 10; round += 1) {
      const id = await newPost()
      const reacted: number[] = []
      let deletion: Promise<unknown> | undefined
      const each = async (who: Person) => {
        for (const value of ['like', 'dislike', null, 'like'] as const) {
          reacted.push((await wish(who, id, value)).statusCode)
          if (reacted.length > 2 * round) deletion ??= ann.client.delete(`v1/posts/${id}`)
        }
      }
      await Promise.all(people.map(each))
      t.match(await deletion, { statusCode: 204 })
      answers.push(...reacted)
      answers.push((await wish(people[5] ?? ann, id, 'like')).statusCode)
      t.equal(answers.at(-1), 404, 'after the deletion there is nothing to react to')
    }
    t.same([...new Set(answers)].sort(), [200, 404])
    const alive = await posts.distinct('_id')
    const left = () => reactions.countDocuments({ post: { $nin: alive } })
    for (
      let n = 0;
      n < 200 && (await db.collection('removedPosts').countDocuments({ sweptAt: { $exists: false } })) > 0;
      n += 1
    )
      await delay(50)
    t.equal(await left(), 0, 'the sweep took the rest')
    t.equal(await db.collection('removedPosts').countDocuments({ sweptAt: { $exists: false } }), 0, 'and ended')
  })
})
