import type { Db } from 'mongodb'
import t, { type Test } from 'tap'
import { OutcomeUnknownError, TransactionTimeoutError } from '../../src/database/failures.ts'
import { toUuid } from '../../src/database/ids.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import { type ReactionDocument, reactionKey } from '../../src/reactions/model.ts'
import type { Writer } from '../../src/write-operations.ts'
import { claim, createCommand, deleteCommand, editCommand, reactCommand } from './fixtures/commands.ts'
import { freshMachines, inOneBatch } from './fixtures/machines.ts'
import { readStored, violatedInvariants } from './fixtures/stored.ts'

/** The same database, but `hook` runs after each query of a list, before its result is returned. */
function withQueryHook(db: Db, hook: () => Promise<unknown>): Db {
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
              await hook()
              return found
            },
          })
        },
      })
    },
  })
}

/** Two machines, three accounts and a post by the first. */
async function setUp(t: Test) {
  const machines = await freshMachines(t)
  const { db } = machines
  let pending: (() => Promise<unknown>) | undefined
  const runOnce = async () => {
    const writes = pending
    pending = undefined
    await writes?.()
  }
  const here = machines.machine(withQueryHook(db, runOnce))
  const there = machines.machine()
  const [ann = '', bob = '', cyd = ''] = await machines.newAccounts(3)
  const first = createCommand(ann)
  await there.writer.createPost(first)
  return {
    ...machines,
    ...{ here, there, ann, bob, cyd },
    post: first.id,
    posts: db.collection<PostDocument>('posts'),
    reactions: db.collection<ReactionDocument>('reactions'),

    /**
     * Submits a batch on `here`, and between its first read and all that follows runs `concurrent` to its end.
     * @returns the batch's answers, and how often its transaction ran
     */
    async conflict<const Answers extends readonly Promise<unknown>[]>(
      submit: (writer: Writer) => Answers,
      concurrent: () => Promise<unknown>,
    ) {
      pending = concurrent
      const before = here.runs()
      const answers = await inOneBatch(here, submit)
      return { answers, runs: here.runs() - before }
    },
  }
}

/** Runs a test, and checks the invariants after it. */
function scenario(name: string, run: (t: Test, scene: Awaited<ReturnType<typeof setUp>>) => Promise<void>) {
  t.test(name, { timeout: 120_000 }, async (t) => {
    const scene = await setUp(t)
    await run(t, scene)
    await scene.sweep()
    t.same(violatedInvariants(await readStored(scene.db, scene.client)), [], 'invariants hold')
  })
}

const counts = (likes: number, dislikes: number, replies = 0) => ({ likes, dislikes, replies })

scenario('a batch that leaves the counts unchanged still conflicts with the deletion of its post', async (t, scene) => {
  const { here, there, post, ann, bob, cyd, reactions } = scene
  await here.writer.react(reactCommand(post, bob, 'like'))
  const { answers, runs } = await scene.conflict(
    ({ react }) => [react(reactCommand(post, cyd, 'like')), react(reactCommand(post, bob, null))],
    async () => t.same(await there.writer.deletePost(deleteCommand(post, ann)), { outcome: 'deleted' }),
  )
  t.same(answers, [{ outcome: 'not-found' }, { outcome: 'not-found' }])
  t.equal(runs, 2)
  t.equal(await reactions.countDocuments({ account: toUuid(cyd) }), 0, 'no reaction is stored after the deletion')
  await scene.sweep()
  t.equal(await reactions.countDocuments(), 0)
})

scenario(
  'a reaction, an edit, a reply and a deletion each conflict with the deletion of their post and find nothing',
  async (t, scene) => {
    const { there, ann, bob, cyd, posts } = scene
    const [liked, edited, parent, deleted] = [
      createCommand(ann),
      createCommand(ann),
      createCommand(ann),
      createCommand(ann),
    ]
    await inOneBatch(there, ({ createPost: create }) => [
      create(liked),
      create(edited),
      create(parent),
      create(deleted),
    ])
    const remove = (post: string) => async () =>
      t.same(await there.writer.deletePost(deleteCommand(post, ann)), { outcome: 'deleted' })

    t.same(await scene.conflict(({ react }) => [react(reactCommand(liked.id, bob, 'like'))], remove(liked.id)), {
      answers: [{ outcome: 'not-found' }],
      runs: 2,
    })
    t.same(
      await scene.conflict(({ editPost: edit }) => [edit(editCommand(edited.id, ann, 'Too late'))], remove(edited.id)),
      {
        answers: [{ outcome: 'not-found' }],
        runs: 2,
      },
    )
    const reply = createCommand(cyd, { replyTo: parent.id, claim: claim('k') })
    t.same(await scene.conflict(({ createPost: create }) => [create(reply)], remove(parent.id)), {
      answers: [{ outcome: 'parent-not-found' }],
      runs: 2,
    })
    t.equal(await posts.countDocuments({ author: toUuid(cyd) }), 0)
    t.same(
      await there.writer.createPost(createCommand(cyd, { claim: claim('k') })),
      { outcome: 'created' },
      'the refused reply did not claim its key',
    )
    const late = deleteCommand(deleted.id, ann)
    t.same(
      await scene.conflict((writer) => [writer.deletePost(late)], remove(deleted.id)),
      { answers: [{ outcome: 'not-found' }], runs: 2 },
      'the post is deleted once',
    )
  },
)

scenario(
  'a deletion that conflicts with a reaction, a reply and an edit succeeds in its second run, and the reply stays',
  async (t, scene) => {
    const { there, post, ann, bob, cyd, posts } = scene
    const reply = createCommand(cyd, { replyTo: post })
    const result = await scene.conflict(
      ({ deletePost: remove }) => [remove(deleteCommand(post, ann))],
      () =>
        Promise.all([
          there.writer.react(reactCommand(post, bob, 'like')),
          there.writer.createPost(reply),
          there.writer.editPost(editCommand(post, ann, 'Changed')),
        ]),
    )
    t.same(result, { answers: [{ outcome: 'deleted' }], runs: 2 })
    t.equal(await posts.countDocuments({ _id: toUuid(reply.id) }), 1)
  },
)

scenario('a conflict rolls back the complete batch, and the second run counts everything once', async (t, scene) => {
  const { there, post, ann, bob, cyd, posts } = scene
  const [doomed, edited] = [createCommand(bob, { replyTo: post }), createCommand(bob)]
  await inOneBatch(there, ({ createPost: create }) => [create(doomed), create(edited)])
  const keyed = createCommand(cyd, { replyTo: post, claim: claim('k') })
  // The deletion is applied last, and conflicts: its post has another reaction by then.
  const { answers, runs } = await scene.conflict(
    ({ createPost: create, editPost: edit, react, deletePost: remove }) => [
      create(keyed),
      edit(editCommand(edited.id, bob, 'Changed')),
      react(reactCommand(post, cyd, 'like')),
      remove(deleteCommand(doomed.id, bob)),
    ],
    () => there.writer.react(reactCommand(doomed.id, ann, 'dislike')),
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

scenario('an edit that conflicts with a reaction answers with the reaction counted', async (t, scene) => {
  const { there, post, ann, bob } = scene
  const result = await scene.conflict(
    ({ editPost: edit }) => [edit(editCommand(post, ann, 'Changed'))],
    () => there.writer.react(reactCommand(post, bob, 'like')),
  )
  t.same(result, { answers: [{ outcome: 'edited', replyTo: null, counts: counts(1, 0) }], runs: 2 })
})

scenario(
  'one account’s concurrent reactions on two machines leave one reaction; only a withdrawal renews its order key',
  async (t, scene) => {
    const { there, post, bob, reactions } = scene
    const stored = () => reactions.findOne({ _id: reactionKey(post, bob) })
    const first = reactCommand(post, bob, 'dislike')
    const liked = await scene.conflict(
      ({ react }) => [react(reactCommand(post, bob, 'like'))],
      () => there.writer.react(first),
    )
    t.same(liked, { answers: [{ outcome: 'reacted', value: 'like', counts: counts(1, 0) }], runs: 2 })
    t.match(
      await stored(),
      { value: 'like', order: toUuid(first.order) },
      'the second changes the first one’s value and keeps its order key',
    )

    const back = reactCommand(post, bob, 'dislike')
    await scene.conflict(
      ({ react }) => [react(back)],
      () => there.writer.react(reactCommand(post, bob, null)),
    )
    t.match(
      await stored(),
      { value: 'dislike', order: toUuid(back.order) },
      'after a withdrawal it has its own order key',
    )
    t.equal(await reactions.countDocuments(), 1)
  },
)

scenario(
  'one idempotency key on two machines creates one post: the other request gets a replay, or a conflict if its body differs',
  async (t, scene) => {
    const { there, ann, bob, posts } = scene
    const twin = createCommand(bob, { claim: claim('k') })
    const { answers, runs } = await scene.conflict(
      ({ createPost: create }) => [
        create(createCommand(bob, { claim: claim('k') })),
        create(createCommand(bob, { claim: claim('k', 'another body') })),
        create(createCommand(ann, { claim: claim('k') })),
      ],
      () => there.writer.createPost(twin),
    )
    t.same(answers, [{ outcome: 'replayed', post: twin.id }, { outcome: 'key-reused' }, { outcome: 'created' }])
    t.equal(runs, 2)
    t.equal(await posts.countDocuments({ author: toUuid(bob) }), 1)
  },
)

scenario(
  'contending writes to one post on two machines keep counts exact and every acknowledged write',
  async (t, scene) => {
    const { db, client, here, there, post, newAccounts } = scene
    const accounts = await newAccounts(12)
    const acknowledged = new Map<string, 'created' | 'deleted'>()
    const reacted = new Map<string, 'like' | 'dislike' | null>()
    const failures: unknown[] = []
    const orUndefined = async <Answer>(answer: Promise<Answer>) =>
      answer.catch((error: unknown) => {
        const isTimeout = error instanceof TransactionTimeoutError || error instanceof OutcomeUnknownError
        if (!isTimeout) failures.push(error)
        return undefined
      })

    const each = async (account: string, p: number) => {
      for (let n = 0; n < 30; n += 1) {
        const { writer } = (n + p) % 2 === 0 ? here : there
        const value = (['like', 'dislike', null] as const)[(n * 7 + p * 5 + (n >> 2)) % 3] ?? null
        const reply = createCommand(account, { replyTo: post })
        const [answer, created] = await Promise.all([
          orUndefined(writer.react(reactCommand(post, account, value))),
          orUndefined(writer.createPost(reply)),
        ])
        if (answer?.outcome === 'reacted') reacted.set(account, value)
        else reacted.delete(account)
        if (created?.outcome === 'created') acknowledged.set(reply.id, 'created')
        if (created && n % 3 === 0) {
          const removed = await orUndefined((n % 2 ? here : there).writer.deletePost(deleteCommand(reply.id, account)))
          if (removed?.outcome === 'deleted') acknowledged.set(reply.id, 'deleted')
          else acknowledged.delete(reply.id)
        }
      }
    }
    await Promise.all(accounts.map(each))

    t.same(failures, [], 'only deadlines fail')
    const stored = await readStored(db, client)
    t.same(violatedInvariants(stored), [], 'counts are exact')
    const existing = new Set(stored.posts.map(({ _id }) => String(_id)))
    t.same(
      [...acknowledged].filter(([id, state]) => existing.has(id) !== (state === 'created')),
      [],
      'acknowledged replies exist, deleted ones do not',
    )
    const found = new Map(stored.reactions.map(({ account, value }) => [String(account), value]))
    t.same(
      [...reacted].filter(([account, value]) => (found.get(account) ?? null) !== value),
      [],
    )
    t.ok(reacted.size > accounts.length / 2, `the last reaction of ${reacted.size} accounts was acknowledged`)
  },
)
