import t, { type Test } from 'tap'
import type { CountsDocument } from '../../src/accounts/counts.ts'
import { newId, toUuid } from '../../src/database/ids.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import { type ReactionDocument, reactionKey } from '../../src/reactions/model.ts'
import { claim, creation, edition, reaction, removal } from './fixtures/commands.ts'
import { atOnce, freshMachines } from './fixtures/machines.ts'
import { disagreements, readStored } from './fixtures/stored.ts'

/** A machine, three accounts, and a post of the first; all that is stored is counted after it. */
async function setScene(t: Test) {
  const machines = await freshMachines(t)
  const { db } = machines
  const machine = machines.machine()
  const [ann = '', bob = '', cyd = ''] = await machines.newAccounts(3)
  const first = creation(ann)
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

function scenario(name: string, play: (t: Test, scene: Awaited<ReturnType<typeof setScene>>) => Promise<void>) {
  t.test(name, async (t) => {
    const scene = await setScene(t)
    await play(t, scene)
    await scene.sweep()
    t.same(disagreements(await readStored(scene.db, scene.client)), [], 'what is counted is there')
  })
}

const counts = (likes: number, dislikes: number, replies = 0) => ({ likes, dislikes, replies })

scenario('an account that wants one thing after the other in a batch', async (t, scene) => {
  const { machine, post, bob } = scene
  const many = (...values: ('like' | 'dislike' | null)[]) => values.map((value) => reaction(post, bob, value))
  const give = (wishes: ReturnType<typeof many>) => atOnce(machine, ({ react }) => wishes.map((wish) => react(wish)))
  const placeOf = async () => (await scene.reactionOf(post, bob))?.order.toString()

  const first = many('like', 'dislike', null, 'like')
  t.same(
    await give(first),
    ['like', 'dislike', null, 'like'].map((value) => ({ outcome: 'reacted', value, counts: counts(1, 0) })),
    'each gets its own value, and the counts after all',
  )
  t.match(await scene.reactionOf(post, bob), { value: 'like' }, 'the last one stands')
  t.equal(await placeOf(), first[3]?.order, 'and has a new place, after the withdrawal')

  await give(many('dislike', 'like', 'dislike'))
  t.match(await scene.reactionOf(post, bob), { value: 'dislike' })
  t.equal(await placeOf(), first[3]?.order, 'who changes their mind keeps the place')
  t.same(await scene.countsOf(post), counts(0, 1))

  const back = many(null, 'dislike')
  await give(back)
  t.equal(await placeOf(), back[1]?.order, 'who withdraws and comes back in one batch has a new one')

  t.same(await give(many('like', null)), [
    { outcome: 'reacted', value: 'like', counts: counts(0, 0) },
    { outcome: 'reacted', value: null, counts: counts(0, 0) },
  ])
  t.equal(await scene.reactionOf(post, bob), null)
  t.same(await give(many('like', null)), [
    { outcome: 'reacted', value: 'like', counts: counts(0, 0) },
    { outcome: 'reacted', value: null, counts: counts(0, 0) },
  ])
  t.equal(await scene.reactions(), 0, 'what came and went in one batch was never there')
})

scenario('a reaction that changes nothing', async (t, { machine, post, ann, bob, ...scene }) => {
  const { react } = machine.writer
  const like = reaction(post, bob, 'like')
  await react(like)
  t.same(await react(reaction(post, bob, 'like')), { outcome: 'reacted', value: 'like', counts: counts(1, 0) })
  t.match(await scene.reactionOf(post, bob), { value: 'like', order: toUuid(like.order) }, 'it keeps its place')
  t.same(
    await react(reaction(post, ann, null)),
    { outcome: 'reacted', value: null, counts: counts(1, 0) },
    'nothing to withdraw',
  )
  t.equal(await scene.reactions(), 1)
  t.same(await scene.countsOf(post), counts(1, 0))
})

scenario('reactions of many to many in one batch', async (t, { machine, post, ann, bob, cyd, ...scene }) => {
  const other = creation(bob)
  await machine.writer.createPost(other)
  await machine.writer.react(reaction(other.id, cyd, 'like'))
  const missing = newId()
  const answers = await atOnce(machine, ({ react }) => [
    react(reaction(post, ann, 'like')),
    react(reaction(missing, ann, 'like')),
    react(reaction(post, bob, 'dislike')),
    react(reaction(other.id, cyd, 'dislike')),
    react(reaction(missing, bob, null)),
    react(reaction(post, cyd, 'like')),
    react(reaction(other.id, ann, 'dislike')),
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
  t.same([await scene.countsOf(post), await scene.countsOf(other.id)], [counts(2, 1), counts(0, 2)], 'as it is stored')
  t.equal(await scene.reactions(), 5, 'nothing is written to a post that is missing')
})

scenario('one batch takes a like and brings one', async (t, { machine, post, ann, bob, ...scene }) => {
  await machine.writer.react(reaction(post, ann, 'like'))
  const revision = (await scene.find(post))?.revision ?? Number.NaN
  await atOnce(machine, ({ react }) => [react(reaction(post, ann, null)), react(reaction(post, bob, 'like'))])
  t.match(await scene.find(post), { counts: counts(1, 0), revision: revision + 1 }, 'the post is written to')
})

scenario('a hundred posts in one batch', async (t, { machine, posts, ann, bob, cyd, ...scene }) => {
  const wishes = Array.from({ length: 100 }, (_, n) => creation([ann, bob, cyd][n % 3] ?? '', { text: `Number ${n}` }))
  const answers = await atOnce(machine, ({ createPost: create }) => wishes.map((wish) => create(wish)))
  t.same(answers, Array(100).fill({ outcome: 'created' }))
  // With the post of the scene.
  t.same(await Promise.all([ann, bob, cyd].map(scene.postsOf)), [35, 33, 33])
  const stored = await posts
    .find({ text: /^Number/ })
    .sort({ _id: 1 })
    .toArray()
  t.same(
    stored,
    wishes.map(({ id, author, text }) => ({
      _id: toUuid(id),
      author: toUuid(author),
      ...{ text, editedAt: null, replyTo: null, root: true, counts: counts(0, 0), revision: 0 },
    })),
  )
})

scenario('replies to what is there and to what is missing', async (t, { machine, post, ann, bob, cyd, ...scene }) => {
  const missing = newId()
  const reply = creation(bob, { replyTo: post })
  const answers = await atOnce(machine, ({ createPost: create }) => [
    create(reply),
    create(creation(bob, { replyTo: missing })),
    create(creation(cyd, { replyTo: post })),
    create(creation(cyd)),
  ])
  t.same(
    answers.map(({ outcome }) => outcome),
    ['created', 'parent-not-found', 'created', 'created'],
  )
  t.same(await scene.countsOf(post), counts(0, 0, 2))
  t.same(await Promise.all([ann, bob, cyd].map(scene.postsOf)), [1, 1, 2])
  const stored = await scene.find(reply.id)
  t.match(stored, { replyTo: toUuid(post) })
  t.notOk(stored && 'root' in stored, 'a reply is not in the public list')
})

scenario('one Idempotency-Key several times in a batch', async (t, { machine, ann, bob, posts, ...scene }) => {
  const first = creation(ann, { claim: claim('k') })
  const other = creation(ann, { claim: claim('l') })
  const answers = await atOnce(machine, ({ createPost: create }) => [
    create(first),
    create(creation(ann, { claim: claim('k') })),
    create(creation(ann, { claim: claim('k', 'another body') })),
    create(creation(bob, { claim: claim('k') })),
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
  t.same(await create(creation(ann, { claim: claim('k') })), replayed, 'so it is in the next batch')
  t.same(await create(creation(ann, { claim: claim('k', 'another body') })), { outcome: 'key-reused' })
  await remove(removal(first.id, ann))
  t.same(await create(creation(ann, { claim: claim('k') })), replayed, 'and when the post is gone')
  t.equal(await posts.countDocuments({ author: toUuid(ann) }), 2)
})

scenario('what is not created takes no key', async (t, { machine, ann, bob, posts }) => {
  const orphan = () => creation(bob, { replyTo: newId(), claim: claim('k', 'a reply') })
  const root = creation(bob, { claim: claim('k', 'a root') })
  const answers = await atOnce(machine, ({ createPost: create }) => [create(orphan()), create(root)])
  t.same(answers, [{ outcome: 'parent-not-found' }, { outcome: 'created' }], 'in the same batch')
  t.same(await machine.writer.createPost(creation(ann, { replyTo: newId(), claim: claim('l') })), {
    outcome: 'parent-not-found',
  })
  t.same(
    await machine.writer.createPost(creation(ann, { claim: claim('l') })),
    { outcome: 'created' },
    'and in the next one',
  )
  t.equal(await posts.countDocuments({ author: toUuid(bob) }), 1)
})

scenario('a key that MongoDB has not removed in time counts no more', async (t, { machine, db, ann, posts }) => {
  const { createPost: create } = machine.writer
  await create(creation(ann, { claim: claim('k') }))
  await db.collection('idempotency').updateMany({}, { $set: { at: new Date(Date.now() - 86_401_000) } })
  const [first, second] = [creation(ann, { claim: claim('k') }), creation(ann, { claim: claim('k') })]
  t.same(await atOnce(machine, (writer) => [writer.createPost(first), writer.createPost(second)]), [
    { outcome: 'created' },
    { outcome: 'replayed', post: first.id },
  ])
  t.equal(await posts.countDocuments({ author: toUuid(ann) }), 3)
})

scenario('creations that are given again', async (t, { machine, post, ann, bob, cyd, posts, ...scene }) => {
  const again = <Wish extends object>(wish: Wish) => ({ ...wish, retry: true })
  const { createPost: create, deletePost: remove } = machine.writer
  const written = creation(bob, { replyTo: post })
  const removed = creation(bob, { replyTo: post, text: 'Removed since' })
  const claimed = creation(bob, { claim: claim('mine') })
  const outrun = creation(cyd, { claim: claim('taken') })
  const twin = creation(cyd, { claim: claim('taken') })
  const parent = creation(ann)
  const orphaned = creation(cyd, { replyTo: parent.id })
  for (const wish of [written, removed, claimed, twin, parent, orphaned]) await create(wish)
  await remove(removal(removed.id, bob))
  await remove(removal(parent.id, ann))

  const lost = creation(bob, { replyTo: post })
  const answers = await atOnce(machine, (writer) => [
    writer.createPost(again(written)),
    writer.createPost(again(removed)),
    writer.createPost(again(claimed)),
    writer.createPost(again(outrun)),
    writer.createPost(again(orphaned)),
    writer.createPost(again(lost)),
    writer.createPost(again(creation(bob, { replyTo: parent.id }))),
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
  t.equal(await posts.countDocuments({ text: 'Removed since' }), 0, 'what was removed stays so')
  t.equal(await scene.postsOf(bob), 3, 'none is there twice')
  t.same(await scene.countsOf(post), counts(0, 0, 2), 'and the one that was lost is written')
  t.equal(await scene.postsOf(cyd), 2)
})

scenario('a reaction that is given again', async (t, { machine, post, bob, cyd, ...scene }) => {
  const like = reaction(post, bob, 'like')
  await machine.writer.react(like)
  const given = { ...like, retry: true }
  t.same(await machine.writer.react(given), { outcome: 'reacted', value: 'like', counts: counts(1, 0) }, 'counts once')
  const gone = { ...reaction(post, cyd, null), retry: true }
  t.same(await machine.writer.react(gone), { outcome: 'reacted', value: null, counts: counts(1, 0) })
  t.equal(await scene.reactions(), 1)
})

scenario('removals of one post, and of somebody else’s', async (t, { machine, post, ann, bob, ...scene }) => {
  const reply = creation(ann, { replyTo: post })
  const other = creation(bob)
  await atOnce(machine, ({ createPost: create }) => [create(reply), create(other)])
  const done = removal(reply.id, ann)
  const answers = await atOnce(machine, ({ deletePost: remove }) => [
    remove(done),
    remove(removal(reply.id, ann)),
    remove(removal(reply.id, bob)),
    remove(removal(other.id, ann)),
    remove(removal(newId(), ann)),
  ])
  t.same(answers.slice(0, 2), [{ outcome: 'deleted' }, { outcome: 'not-found' }])
  t.same(answers.slice(3), [{ outcome: 'not-author' }, { outcome: 'not-found' }])
  t.notSame(answers[2], { outcome: 'deleted' })
  t.equal(await scene.find(reply.id), null)
  t.ok(await scene.find(other.id), 'what is not one’s own stays')
  t.same(await scene.countsOf(post), counts(0, 0, 0))
  t.same(await Promise.all([ann, bob].map(scene.postsOf)), [1, 1])

  t.same(await machine.writer.deletePost(done), { outcome: 'deleted' }, 'a removal that is given again was done')
  t.same(
    await machine.writer.deletePost(removal(reply.id, ann)),
    { outcome: 'not-found' },
    'another one comes too late',
  )
  t.same(await Promise.all([ann, bob].map(scene.postsOf)), [1, 1])
})

scenario('a removal, and reactions to the same post', async (t, { machine, post, ann, bob, cyd, sweep, ...scene }) => {
  await machine.writer.react(reaction(post, cyd, 'dislike'))
  const answers = await atOnce(machine, ({ react, deletePost: remove }) => [
    remove(removal(post, ann)),
    react(reaction(post, bob, 'like')),
    react(reaction(post, cyd, null)),
  ])
  t.same(answers, [
    { outcome: 'deleted' },
    { outcome: 'reacted', value: 'like', counts: counts(1, 0) },
    { outcome: 'reacted', value: null, counts: counts(1, 0) },
  ])
  t.same(await machine.writer.react(reaction(post, bob, 'dislike')), { outcome: 'not-found' })
  await sweep()
  t.equal(await scene.reactions(), 0, 'the sweep takes them')
})

scenario('a reply, and the removal of its parent', async (t, { machine, post, ann, bob, cyd, ...scene }) => {
  const reply = creation(bob, { replyTo: post })
  t.same(
    await atOnce(machine, ({ createPost: create, deletePost: remove }) => [remove(removal(post, ann)), create(reply)]),
    [{ outcome: 'deleted' }, { outcome: 'created' }],
  )
  t.match(await scene.find(reply.id), { replyTo: toUuid(post) }, 'it stays')
  t.same(await Promise.all([ann, bob].map(scene.postsOf)), [0, 1])

  const below = creation(cyd, { replyTo: reply.id })
  await machine.writer.createPost(below)
  const both = await atOnce(machine, ({ deletePost: remove }) => [
    remove(removal(reply.id, bob)),
    remove(removal(below.id, cyd)),
  ])
  t.same(both, [{ outcome: 'deleted' }, { outcome: 'deleted' }], 'both at once')
  t.same(await Promise.all([ann, bob, cyd].map(scene.postsOf)), [0, 0, 0])
})

scenario('edits', async (t, { machine, post, ann, bob, cyd, ...scene }) => {
  await atOnce(machine, ({ createPost: create, react }) => [
    create(creation(bob, { replyTo: post })),
    react(reaction(post, cyd, 'like')),
  ])
  const reply = creation(cyd, { replyTo: post })
  await machine.writer.createPost(reply)
  const last = edition(post, ann, 'Twice')
  const answers = await atOnce(machine, ({ editPost: edit }) => [
    edit(edition(post, ann, 'Once')),
    edit(last),
    edit(edition(post, bob, 'By somebody else')),
    edit(edition(newId(), ann, 'Nothing')),
    edit(edition(reply.id, cyd, 'A reply')),
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
    'the later one',
  )

  const ends = await atOnce(machine, ({ editPost: edit, deletePost: remove }) => [
    remove(removal(post, ann)),
    edit(edition(post, ann, 'Last')),
  ])
  t.match(ends, [{ outcome: 'deleted' }, { outcome: 'edited' }])
  t.equal(await scene.find(post), null, 'and it is not written anew')
})
