import type { Db } from 'mongodb'
import t, { type Test } from 'tap'
import { TransactionTimeoutError } from '../../src/database/failures.ts'
import { toUuid } from '../../src/database/ids.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import { type ReactionDocument, reactionKey } from '../../src/reactions/model.ts'
import type { Writer } from '../../src/write-operations.ts'
import { claim, creation, edition, reaction, removal } from './fixtures/commands.ts'
import { atOnce, freshMachines } from './fixtures/machines.ts'
import { disagreements, readStored } from './fixtures/stored.ts'

/** The same database, but after each query that has been answered `then` happens, and only then the answer is told. */
function afterQueries(db: Db, then: () => Promise<unknown>): Db {
  const other = db.client.db(db.databaseName)
  const collection = other.collection.bind(other)
  return Object.assign(other, {
    collection(name: string) {
      const plain = collection(name)
      const find = plain.find.bind(plain)
      return Object.assign(plain, {
        find(...query: Parameters<typeof find>) {
          const cursor = find(...query)
          const toArray = cursor.toArray.bind(cursor)
          return Object.assign(cursor, {
            async toArray() {
              const found = await toArray()
              await then()
              return found
            },
          })
        },
      })
    },
  })
}

/** Two machines, three accounts and a post of the first. */
async function setScene(t: Test) {
  const machines = await freshMachines(t)
  const { db } = machines
  let happening: (() => Promise<unknown>) | undefined
  const happen = async () => {
    const now = happening
    happening = undefined
    await now?.()
  }
  const here = machines.machine(afterQueries(db, happen))
  const there = machines.machine()
  const [ann = '', bob = '', cyd = ''] = await machines.newAccounts(3)
  const first = creation(ann)
  await there.writer.createPost(first)
  return {
    ...machines,
    ...{ here, there, ann, bob, cyd },
    post: first.id,
    posts: db.collection<PostDocument>('posts'),
    reactions: db.collection<ReactionDocument>('reactions'),

    /** What a batch answers on `here`, when all of `meanwhile` is acknowledged between its first read and what follows. */
    async overtake<const Answers extends readonly Promise<unknown>[]>(
      give: (writer: Writer) => Answers,
      meanwhile: () => Promise<unknown>,
    ) {
      happening = meanwhile
      const before = here.runs()
      const answers = await atOnce(here, give)
      return { answers, runs: here.runs() - before }
    },
  }
}

function scenario(name: string, play: (t: Test, scene: Awaited<ReturnType<typeof setScene>>) => Promise<void>) {
  t.test(name, { timeout: 120_000 }, async (t) => {
    const scene = await setScene(t)
    await play(t, scene)
    await scene.sweep()
    t.same(disagreements(await readStored(scene.db, scene.client)), [], 'what is counted is there')
  })
}

const counts = (likes: number, dislikes: number, replies = 0) => ({ likes, dislikes, replies })

scenario('a batch that comes to nothing in sum conflicts with the deletion all the same', async (t, scene) => {
  const { here, there, post, ann, bob, cyd, reactions } = scene
  await here.writer.react(reaction(post, bob, 'like'))
  const { answers, runs } = await scene.overtake(
    ({ react }) => [react(reaction(post, cyd, 'like')), react(reaction(post, bob, null))],
    async () => t.same(await there.writer.deletePost(removal(post, ann)), { outcome: 'deleted' }),
  )
  t.same(answers, [null, null], 'there is nothing any more to react to')
  t.equal(runs, 2)
  t.equal(await reactions.countDocuments({ account: toUuid(cyd) }), 0, 'no reaction comes after the deletion')
  await scene.sweep()
  t.equal(await reactions.countDocuments(), 0)
})

scenario('each kind of batch conflicts with the deletion of its post', async (t, scene) => {
  const { there, ann, bob, cyd, posts } = scene
  const [liked, edited, parent, removed] = [creation(ann), creation(ann), creation(ann), creation(ann)]
  await atOnce(there, ({ createPost: create }) => [create(liked), create(edited), create(parent), create(removed)])
  const remove = (post: string) => async () =>
    t.same(await there.writer.deletePost(removal(post, ann)), { outcome: 'deleted' })

  t.same(await scene.overtake(({ react }) => [react(reaction(liked.id, bob, 'like'))], remove(liked.id)), {
    answers: [null],
    runs: 2,
  })
  t.same(await scene.overtake(({ editPost: edit }) => [edit(edition(edited.id, ann, 'Too late'))], remove(edited.id)), {
    answers: [{ outcome: 'not-found' }],
    runs: 2,
  })
  const reply = creation(cyd, { replyTo: parent.id, claim: claim('k') })
  t.same(await scene.overtake(({ createPost: create }) => [create(reply)], remove(parent.id)), {
    answers: [{ outcome: 'parent-not-found' }],
    runs: 2,
  })
  t.equal(await posts.countDocuments({ author: toUuid(cyd) }), 0)
  t.same(
    await there.writer.createPost(creation(cyd, { claim: claim('k') })),
    { outcome: 'created' },
    'nor is the key taken',
  )
  const late = removal(removed.id, ann)
  t.same(
    await scene.overtake((writer) => [writer.deletePost(late)], remove(removed.id)),
    { answers: [{ outcome: 'not-found' }], runs: 2 },
    'it is removed once',
  )
})

scenario('a removal that conflicts with a reaction, a reply and an edit', async (t, scene) => {
  const { there, post, ann, bob, cyd, posts } = scene
  const reply = creation(cyd, { replyTo: post })
  const result = await scene.overtake(
    ({ deletePost: remove }) => [remove(removal(post, ann))],
    () =>
      Promise.all([
        there.writer.react(reaction(post, bob, 'like')),
        there.writer.createPost(reply),
        there.writer.editPost(edition(post, ann, 'Changed')),
      ]),
  )
  t.same(result, { answers: [{ outcome: 'deleted' }], runs: 2 })
  t.equal(await posts.countDocuments({ _id: toUuid(reply.id) }), 1)
})

scenario('what a batch wrote before it conflicted is taken back', async (t, scene) => {
  const { there, post, ann, bob, cyd, posts } = scene
  const [doomed, edited] = [creation(bob, { replyTo: post }), creation(bob)]
  await atOnce(there, ({ createPost: create }) => [create(doomed), create(edited)])
  const keyed = creation(cyd, { replyTo: post, claim: claim('k') })
  // The removal comes last, and conflicts: the post has another reaction by then.
  const { answers, runs } = await scene.overtake(
    ({ createPost: create, editPost: edit, react, deletePost: remove }) => [
      create(keyed),
      edit(edition(edited.id, bob, 'Changed')),
      react(reaction(post, cyd, 'like')),
      remove(removal(doomed.id, bob)),
    ],
    () => there.writer.react(reaction(doomed.id, ann, 'dislike')),
  )
  t.match(answers, [
    { outcome: 'created' },
    { outcome: 'edited' },
    { outcome: 'reacted', value: 'like', counts: counts(1, 0, 2) },
    { outcome: 'deleted' },
  ])
  t.equal(runs, 2)
  t.match(await posts.findOne({ _id: toUuid(post) }), { counts: counts(1, 0, 1) })
  t.equal(await posts.countDocuments({ author: toUuid(cyd) }), 1)
})

scenario('an edit answers with what others have counted meanwhile', async (t, scene) => {
  const { there, post, ann, bob } = scene
  const result = await scene.overtake(
    ({ editPost: edit }) => [edit(edition(post, ann, 'Changed'))],
    () => there.writer.react(reaction(post, bob, 'like')),
  )
  t.same(result, { answers: [{ outcome: 'edited', replyTo: null, counts: counts(1, 0) }], runs: 2 })
})

scenario('one account on two machines', async (t, scene) => {
  const { there, post, bob, reactions } = scene
  const standing = () => reactions.findOne({ _id: reactionKey(post, bob) })
  const first = reaction(post, bob, 'dislike')
  const liked = await scene.overtake(
    ({ react }) => [react(reaction(post, bob, 'like'))],
    () => there.writer.react(first),
  )
  t.same(liked, { answers: [{ outcome: 'reacted', value: 'like', counts: counts(1, 0) }], runs: 2 })
  t.match(await standing(), { value: 'like', order: toUuid(first.order) }, 'the second changes the mind of the first')

  const back = reaction(post, bob, 'dislike')
  await scene.overtake(
    ({ react }) => [react(back)],
    () => there.writer.react(reaction(post, bob, null)),
  )
  t.match(
    await standing(),
    { value: 'dislike', order: toUuid(back.order) },
    'after a withdrawal it has a place of its own',
  )
  t.equal(await reactions.countDocuments(), 1)
})

scenario('one Idempotency-Key on two machines', async (t, scene) => {
  const { there, ann, bob, posts } = scene
  const twin = creation(bob, { claim: claim('k') })
  const { answers, runs } = await scene.overtake(
    ({ createPost: create }) => [
      create(creation(bob, { claim: claim('k') })),
      create(creation(bob, { claim: claim('k', 'another body') })),
      create(creation(ann, { claim: claim('k') })),
    ],
    () => there.writer.createPost(twin),
  )
  t.same(answers, [{ outcome: 'replayed', post: twin.id }, { outcome: 'key-reused' }, { outcome: 'created' }])
  t.equal(runs, 2)
  t.equal(await posts.countDocuments({ author: toUuid(bob) }), 1)
})

scenario('two machines hammer one post', async (t, scene) => {
  const { db, client, here, there, post, newAccounts } = scene
  const people = await newAccounts(12)
  const acknowledged = new Map<string, 'made' | 'removed'>()
  const reacted = new Map<string, 'like' | 'dislike' | null>()
  const failures: unknown[] = []
  const settle = async <Answer>(answer: Promise<Answer>) =>
    answer.catch((error: unknown) => {
      if (!(error instanceof TransactionTimeoutError)) failures.push(error)
      return undefined
    })

  const each = async (account: string, p: number) => {
    for (let n = 0; n < 30; n += 1) {
      const { writer } = (n + p) % 2 === 0 ? here : there
      const value = (['like', 'dislike', null] as const)[(n * 7 + p * 5 + (n >> 2)) % 3] ?? null
      const reply = creation(account, { replyTo: post })
      const [answer, created] = await Promise.all([
        settle(writer.react(reaction(post, account, value))),
        settle(writer.createPost(reply)),
      ])
      if (answer?.outcome === 'reacted') reacted.set(account, value)
      else reacted.delete(account)
      if (created?.outcome === 'created') acknowledged.set(reply.id, 'made')
      if (created && n % 3 === 0) {
        const removed = await settle((n % 2 ? here : there).writer.deletePost(removal(reply.id, account)))
        if (removed?.outcome === 'deleted') acknowledged.set(reply.id, 'removed')
        else acknowledged.delete(reply.id)
      }
    }
  }
  await Promise.all(people.map(each))

  t.same(failures, [], 'nothing but lack of time stands in the way')
  const stored = await readStored(db, client)
  t.same(disagreements(stored), [], 'the counts are exact')
  const standing = new Set(stored.posts.map(({ _id }) => String(_id)))
  t.same(
    [...acknowledged].filter(([id, state]) => standing.has(id) !== (state === 'made')),
    [],
    'what was acknowledged is',
  )
  const held = new Map(stored.reactions.map(({ account, value }) => [String(account), value]))
  t.same(
    [...reacted].filter(([account, value]) => (held.get(account) ?? null) !== value),
    [],
  )
  t.ok(reacted.size > people.length / 2, `${reacted.size} accounts have an answer`)
})
