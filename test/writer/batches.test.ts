import t, { type Test } from 'tap'
import type { CountsDocument } from '../../src/accounts/counts.ts'
import { newId, toUuid } from '../../src/database/ids.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import { type ReactionDocument, reactionKey } from '../../src/reactions/model.ts'
import { claim, createCommand, deleteCommand, editCommand, reactCommand } from './fixtures/commands.ts'
import { freshMachines, inOneBatch } from './fixtures/machines.ts'
import { readStored, violatedInvariants } from './fixtures/stored.ts'

/** A machine, three accounts, and a post by the first. */
async function setUp(t: Test) {
  const machines = await freshMachines(t)
  const { db } = machines
  const machine = machines.machine()
  const [ann = '', bob = '', cyd = ''] = await machines.newAccounts(3)
  const first = createCommand(ann)
  await machine.writer.createPost(first)
  const posts = db.collection<PostDocument>('posts')
  const reactions = db.collection<ReactionDocument>('reactions')
  const accountCounts = db.collection<CountsDocument>('accountCounts')
  return {
    ...machines,
    ...{ machine, ann, bob, cyd, posts },
    post: first.id,
    find: (post: string) => posts.findOne({ _id: toUuid(post) }),
    countsOf: async (post: string) => (await posts.findOne({ _id: toUuid(post) }))?.counts,
    postsOf: async (account: string) => (await accountCounts.findOne({ _id: toUuid(account) }))?.posts,
    reactionOf: (post: string, account: string) => reactions.findOne({ _id: reactionKey(post, account) }),
    reactions: () => reactions.countDocuments(),
  }
}

/** Runs a test, and checks the invariants after it. */
function scenario(name: string, run: (t: Test, scene: Awaited<ReturnType<typeof setUp>>) => Promise<void>) {
  t.test(name, async (t) => {
    const scene = await setUp(t)
    await run(t, scene)
    await scene.sweep()
    t.same(violatedInvariants(await readStored(scene.db, scene.client)), [], 'invariants hold')
  })
}

const counts = (likes: number, dislikes: number, replies = 0) => ({ likes, dislikes, replies })

scenario(
  'reactions of one account in one batch apply in order, and every answer has the final counts',
  async (t, scene) => {
    const { machine, post, bob } = scene
    const commands = (...values: ('like' | 'dislike' | null)[]) => values.map((value) => reactCommand(post, bob, value))
    const submit = (batch: ReturnType<typeof commands>) =>
      inOneBatch(machine, ({ react }) => batch.map((command) => react(command)))
    const orderKey = async () => (await scene.reactionOf(post, bob))?.order.toString()

    const first = commands('like', 'dislike', null, 'like')
    t.same(
      await submit(first),
      ['like', 'dislike', null, 'like'].map((value) => ({ outcome: 'reacted', value, counts: counts(1, 0) })),
      'each has its own value and the counts after all',
    )
    t.match(await scene.reactionOf(post, bob), { value: 'like' }, 'the last one is stored')
    t.equal(await orderKey(), first[3]?.order, 'with a new order key, after the withdrawal')

    await submit(commands('dislike', 'like', 'dislike'))
    t.match(await scene.reactionOf(post, bob), { value: 'dislike' })
    t.equal(await orderKey(), first[3]?.order, 'a changed reaction keeps its order key')
    t.same(await scene.countsOf(post), counts(0, 1))

    const back = commands(null, 'dislike')
    await submit(back)
    t.equal(await orderKey(), back[1]?.order, 'a reaction set again after a withdrawal has a new one')

    t.same(await submit(commands('like', null)), [
      { outcome: 'reacted', value: 'like', counts: counts(0, 0) },
      { outcome: 'reacted', value: null, counts: counts(0, 0) },
    ])
    t.equal(await scene.reactionOf(post, bob), null)
    t.same(await submit(commands('like', null)), [
      { outcome: 'reacted', value: 'like', counts: counts(0, 0) },
      { outcome: 'reacted', value: null, counts: counts(0, 0) },
    ])
    t.equal(await scene.reactions(), 0, 'a like and its withdrawal leave no reaction')
  },
)

scenario(
  'a repeated reaction keeps its order key, and repeats and empty withdrawals leave the counts unchanged',
  async (t, { machine, post, ann, bob, ...scene }) => {
    const { react } = machine.writer
    const like = reactCommand(post, bob, 'like')
    await react(like)
    t.same(await react(reactCommand(post, bob, 'like')), { outcome: 'reacted', value: 'like', counts: counts(1, 0) })
    t.match(await scene.reactionOf(post, bob), { value: 'like', order: toUuid(like.order) }, 'it keeps its order key')
    t.same(
      await react(reactCommand(post, ann, null)),
      { outcome: 'reacted', value: null, counts: counts(1, 0) },
      'nothing to withdraw',
    )
    t.equal(await scene.reactions(), 1)
    t.same(await scene.countsOf(post), counts(1, 0))
  },
)

scenario(
  'one batch of reactions to two posts and a missing one: the missing one is not found, the rest have exact counts',
  async (t, { machine, post, ann, bob, cyd, ...scene }) => {
    const other = createCommand(bob)
    await machine.writer.createPost(other)
    await machine.writer.react(reactCommand(other.id, cyd, 'like'))
    const missing = newId()
    const answers = await inOneBatch(machine, ({ react }) => [
      react(reactCommand(post, ann, 'like')),
      react(reactCommand(missing, ann, 'like')),
      react(reactCommand(post, bob, 'dislike')),
      react(reactCommand(other.id, cyd, 'dislike')),
      react(reactCommand(missing, bob, null)),
      react(reactCommand(post, cyd, 'like')),
      react(reactCommand(other.id, ann, 'dislike')),
    ])
    t.same(answers, [
      { outcome: 'reacted', value: 'like', counts: counts(2, 1) },
      { outcome: 'not-found' },
      { outcome: 'reacted', value: 'dislike', counts: counts(2, 1) },
      { outcome: 'reacted', value: 'dislike', counts: counts(0, 2) },
      { outcome: 'not-found' },
      { outcome: 'reacted', value: 'like', counts: counts(2, 1) },
      { outcome: 'reacted', value: 'dislike', counts: counts(0, 2) },
    ])
    t.same(
      [await scene.countsOf(post), await scene.countsOf(other.id)],
      [counts(2, 1), counts(0, 2)],
      'the answers equal what is stored',
    )
    t.equal(await scene.reactions(), 5, 'no reaction to a missing post is stored')
  },
)

scenario(
  'a withdrawal and a like in one batch leave the counts unchanged but increment the revision',
  async (t, { machine, post, ann, bob, ...scene }) => {
    await machine.writer.react(reactCommand(post, ann, 'like'))
    const revision = (await scene.find(post))?.revision ?? Number.NaN
    await inOneBatch(machine, ({ react }) => [
      react(reactCommand(post, ann, null)),
      react(reactCommand(post, bob, 'like')),
    ])
    t.match(await scene.find(post), { counts: counts(1, 0), revision: revision + 1 }, 'the post is written')
  },
)

scenario(
  'a hundred posts in one batch are stored complete, and counted for their authors',
  async (t, { machine, posts, ann, bob, cyd, ...scene }) => {
    const commands = Array.from({ length: 100 }, (_, n) =>
      createCommand([ann, bob, cyd][n % 3] ?? '', { text: `Number ${n}` }),
    )
    const answers = await inOneBatch(machine, ({ createPost: create }) => commands.map((command) => create(command)))
    t.same(answers, Array(100).fill({ outcome: 'created' }))
    // The first account already had a post.
    t.same(await Promise.all([ann, bob, cyd].map(scene.postsOf)), [35, 33, 33])
    const stored = await posts
      .find({ text: /^Number/ })
      .sort({ _id: 1 })
      .toArray()
    t.same(
      stored,
      commands.map(({ id, author, text }) => ({
        _id: toUuid(id),
        author: toUuid(author),
        ...{ text, editedAt: null, replyTo: null, root: true, counts: counts(0, 0), revision: 0 },
      })),
    )
  },
)

scenario(
  'in one batch a reply to a missing post is refused, and the replies to an existing one are counted',
  async (t, { machine, post, ann, bob, cyd, ...scene }) => {
    const missing = newId()
    const reply = createCommand(bob, { replyTo: post })
    const answers = await inOneBatch(machine, ({ createPost: create }) => [
      create(reply),
      create(createCommand(bob, { replyTo: missing })),
      create(createCommand(cyd, { replyTo: post })),
      create(createCommand(cyd)),
    ])
    t.same(
      answers.map(({ outcome }) => outcome),
      ['created', 'parent-not-found', 'created', 'created'],
    )
    t.same(await scene.countsOf(post), counts(0, 0, 2))
    t.same(await Promise.all([ann, bob, cyd].map(scene.postsOf)), [1, 1, 2])
    const stored = await scene.find(reply.id)
    t.match(stored, { replyTo: toUuid(post) })
    t.notOk(stored && 'root' in stored, 'a reply is no root post')
  },
)

scenario(
  'one idempotency key several times in a batch: one post, one replay, one conflict, and other accounts are unaffected',
  async (t, { machine, ann, bob, posts, ...scene }) => {
    const first = createCommand(ann, { claim: claim('k') })
    const other = createCommand(ann, { claim: claim('l') })
    const answers = await inOneBatch(machine, ({ createPost: create }) => [
      create(first),
      create(createCommand(ann, { claim: claim('k') })),
      create(createCommand(ann, { claim: claim('k', 'another body') })),
      create(createCommand(bob, { claim: claim('k') })),
      create(other),
    ])
    const replayed = { outcome: 'replayed', post: first.id }
    t.same(answers, [
      { outcome: 'created' },
      replayed,
      { outcome: 'key-reused' },
      ...Array(2).fill({ outcome: 'created' }),
    ])
    t.same(await Promise.all([ann, bob].map(scene.postsOf)), [3, 1])

    const { createPost: create, deletePost: remove } = machine.writer
    t.same(await create(createCommand(ann, { claim: claim('k') })), replayed, 'a replay in the next batch too')
    t.same(await create(createCommand(ann, { claim: claim('k', 'another body') })), { outcome: 'key-reused' })
    await remove(deleteCommand(first.id, ann))
    t.same(await create(createCommand(ann, { claim: claim('k') })), replayed, 'and after the deletion of the post')
    t.equal(await posts.countDocuments({ author: toUuid(ann) }), 2)
  },
)

scenario('a refused creation does not claim its idempotency key', async (t, { machine, ann, bob, posts }) => {
  const orphan = () => createCommand(bob, { replyTo: newId(), claim: claim('k', 'a reply') })
  const root = createCommand(bob, { claim: claim('k', 'a root') })
  const answers = await inOneBatch(machine, ({ createPost: create }) => [create(orphan()), create(root)])
  t.same(answers, [{ outcome: 'parent-not-found' }, { outcome: 'created' }], 'in the same batch')
  t.same(await machine.writer.createPost(createCommand(ann, { replyTo: newId(), claim: claim('l') })), {
    outcome: 'parent-not-found',
  })
  t.same(
    await machine.writer.createPost(createCommand(ann, { claim: claim('l') })),
    { outcome: 'created' },
    'and in the next one',
  )
  t.equal(await posts.countDocuments({ author: toUuid(bob) }), 1)
})

scenario(
  'an expired idempotency key that MongoDB has not removed yet is free',
  async (t, { machine, db, ann, posts }) => {
    const { createPost: create } = machine.writer
    await create(createCommand(ann, { claim: claim('k') }))
    await db.collection('idempotency').updateMany({}, { $set: { at: new Date(Date.now() - 86_401_000) } })
    const [first, second] = [createCommand(ann, { claim: claim('k') }), createCommand(ann, { claim: claim('k') })]
    t.same(await inOneBatch(machine, (writer) => [writer.createPost(first), writer.createPost(second)]), [
      { outcome: 'created' },
      { outcome: 'replayed', post: first.id },
    ])
    t.equal(await posts.countDocuments({ author: toUuid(ann) }), 3)
  },
)

scenario(
  'retried creations: each post is created once, and deleted ones stay deleted',
  async (t, { machine, post, ann, bob, cyd, posts, ...scene }) => {
    const retried = <Command extends object>(command: Command) => ({ ...command, retry: true })
    const { createPost: create, deletePost: remove } = machine.writer
    const written = createCommand(bob, { replyTo: post })
    const deleted = createCommand(bob, { replyTo: post, text: 'Deleted since' })
    const claimed = createCommand(bob, { claim: claim('mine') })
    const overtaken = createCommand(cyd, { claim: claim('taken') })
    const twin = createCommand(cyd, { claim: claim('taken') })
    const parent = createCommand(ann)
    const orphaned = createCommand(cyd, { replyTo: parent.id })
    for (const command of [written, deleted, claimed, twin, parent, orphaned]) await create(command)
    await remove(deleteCommand(deleted.id, bob))
    await remove(deleteCommand(parent.id, ann))

    const lost = createCommand(bob, { replyTo: post })
    const answers = await inOneBatch(machine, (writer) => [
      writer.createPost(retried(written)),
      writer.createPost(retried(deleted)),
      writer.createPost(retried(claimed)),
      writer.createPost(retried(overtaken)),
      writer.createPost(retried(orphaned)),
      writer.createPost(retried(lost)),
      writer.createPost(retried(createCommand(bob, { replyTo: parent.id }))),
    ])
    t.same(answers, [
      { outcome: 'created' },
      { outcome: 'created' },
      { outcome: 'created' },
      { outcome: 'replayed', post: twin.id },
      { outcome: 'created' },
      { outcome: 'created' },
      { outcome: 'parent-not-found' },
    ])
    t.equal(await posts.countDocuments({ text: 'Deleted since' }), 0, 'the deleted post stays deleted')
    t.equal(await scene.postsOf(bob), 3, 'no post is stored twice')
    t.same(await scene.countsOf(post), counts(0, 0, 2), 'the lost command is applied')
    t.equal(await scene.postsOf(cyd), 2)
  },
)

scenario('a retried reaction is counted once', async (t, { machine, post, bob, cyd, ...scene }) => {
  const like = reactCommand(post, bob, 'like')
  await machine.writer.react(like)
  const retriedLike = { ...like, retry: true }
  t.same(
    await machine.writer.react(retriedLike),
    { outcome: 'reacted', value: 'like', counts: counts(1, 0) },
    'counted once',
  )
  const withdrawal = { ...reactCommand(post, cyd, null), retry: true }
  t.same(await machine.writer.react(withdrawal), { outcome: 'reacted', value: null, counts: counts(1, 0) })
  t.equal(await scene.reactions(), 1)
})

scenario(
  'concurrent deletions of one post: one succeeds; the post of another account stays',
  async (t, { machine, post, ann, bob, ...scene }) => {
    const reply = createCommand(ann, { replyTo: post })
    const other = createCommand(bob)
    await inOneBatch(machine, ({ createPost: create }) => [create(reply), create(other)])
    const done = deleteCommand(reply.id, ann)
    const answers = await inOneBatch(machine, ({ deletePost: remove }) => [
      remove(done),
      remove(deleteCommand(reply.id, ann)),
      remove(deleteCommand(reply.id, bob)),
      remove(deleteCommand(other.id, ann)),
      remove(deleteCommand(newId(), ann)),
    ])
    t.same(answers.slice(0, 2), [{ outcome: 'deleted' }, { outcome: 'not-found' }])
    t.same(answers.slice(3), [{ outcome: 'not-author' }, { outcome: 'not-found' }])
    t.notSame(answers[2], { outcome: 'deleted' })
    t.equal(await scene.find(reply.id), null)
    t.ok(await scene.find(other.id), 'the post of another account stays')
    t.same(await scene.countsOf(post), counts(0, 0, 0))
    t.same(await Promise.all([ann, bob].map(scene.postsOf)), [1, 1])

    t.same(await machine.writer.deletePost(done), { outcome: 'deleted' }, 'a retried deletion answers deleted')
    t.same(
      await machine.writer.deletePost(deleteCommand(reply.id, ann)),
      { outcome: 'not-found' },
      'a new one answers not-found',
    )
    t.same(await Promise.all([ann, bob].map(scene.postsOf)), [1, 1])
  },
)

scenario(
  'reactions in the batch that deletes their post succeed, and the sweep deletes them',
  async (t, { machine, post, ann, bob, cyd, sweep, ...scene }) => {
    await machine.writer.react(reactCommand(post, cyd, 'dislike'))
    const answers = await inOneBatch(machine, ({ react, deletePost: remove }) => [
      remove(deleteCommand(post, ann)),
      react(reactCommand(post, bob, 'like')),
      react(reactCommand(post, cyd, null)),
    ])
    t.same(answers, [
      { outcome: 'deleted' },
      { outcome: 'reacted', value: 'like', counts: counts(1, 0) },
      { outcome: 'reacted', value: null, counts: counts(1, 0) },
    ])
    t.same(await machine.writer.react(reactCommand(post, bob, 'dislike')), { outcome: 'not-found' })
    await sweep()
    t.equal(await scene.reactions(), 0, 'the sweep deleted them')
  },
)

scenario(
  'a reply in the batch that deletes its parent succeeds and stays',
  async (t, { machine, post, ann, bob, cyd, ...scene }) => {
    const reply = createCommand(bob, { replyTo: post })
    t.same(
      await inOneBatch(machine, ({ createPost: create, deletePost: remove }) => [
        remove(deleteCommand(post, ann)),
        create(reply),
      ]),
      [{ outcome: 'deleted' }, { outcome: 'created' }],
    )
    t.match(await scene.find(reply.id), { replyTo: toUuid(post) }, 'the reply stays')
    t.same(await Promise.all([ann, bob].map(scene.postsOf)), [0, 1])

    const below = createCommand(cyd, { replyTo: reply.id })
    await machine.writer.createPost(below)
    const both = await inOneBatch(machine, ({ deletePost: remove }) => [
      remove(deleteCommand(reply.id, bob)),
      remove(deleteCommand(below.id, cyd)),
    ])
    t.same(both, [{ outcome: 'deleted' }, { outcome: 'deleted' }], 'a post and its reply in one batch')
    t.same(await Promise.all([ann, bob, cyd].map(scene.postsOf)), [0, 0, 0])
  },
)

scenario(
  'concurrent edits: the last text is stored, and edits by others or of missing posts are refused',
  async (t, { machine, post, ann, bob, cyd, ...scene }) => {
    await inOneBatch(machine, ({ createPost: create, react }) => [
      create(createCommand(bob, { replyTo: post })),
      react(reactCommand(post, cyd, 'like')),
    ])
    const reply = createCommand(cyd, { replyTo: post })
    await machine.writer.createPost(reply)
    const last = editCommand(post, ann, 'Twice')
    const answers = await inOneBatch(machine, ({ editPost: edit }) => [
      edit(editCommand(post, ann, 'Once')),
      edit(last),
      edit(editCommand(post, bob, 'By another account')),
      edit(editCommand(newId(), ann, 'Nothing')),
      edit(editCommand(reply.id, cyd, 'A reply')),
    ])
    const edited = { outcome: 'edited', replyTo: null, counts: counts(1, 0, 2) }
    t.same(answers, [
      edited,
      edited,
      { outcome: 'not-author' },
      { outcome: 'not-found' },
      { outcome: 'edited', replyTo: post, counts: counts(0, 0) },
    ])
    t.match(
      await scene.find(post),
      { text: 'Twice', editedAt: new Date(last.at), counts: counts(1, 0, 2) },
      'the last edit is stored',
    )

    const final = await inOneBatch(machine, ({ editPost: edit, deletePost: remove }) => [
      remove(deleteCommand(post, ann)),
      edit(editCommand(post, ann, 'Last')),
    ])
    t.match(final, [{ outcome: 'deleted' }, { outcome: 'edited' }])
    t.equal(await scene.find(post), null, 'an edit in the batch that deletes its post does not restore it')
  },
)
