import { setTimeout as delay } from 'node:timers/promises'
import type { UUID } from 'mongodb'
import t from 'tap'
import { type AccountTombstone, tombstoneStore } from '../../src/accounts/tombstone.ts'
import { newId, toUuid } from '../../src/database/ids.ts'
import { transactor } from '../../src/database/transaction.ts'
import { deletionFence } from '../../src/writer/deletion-fence.ts'
import { eventually } from '../eventually.ts'
import { createCommand, deleteCommand, reactCommand } from './fixtures/commands.ts'
import { freshMachines, inOneBatch } from './fixtures/machines.ts'

type Row = { _id: number; owner: UUID; at: Date }
const refusal = { name: 'Problem', code: 'unauthenticated' }
const following = (from: string, to: string, follows = true) => ({ from, to, follows, order: newId() })

async function setUp(t: Parameters<typeof freshMachines>[0]) {
  const machines = await freshMachines(t)
  const { db, client } = machines
  const transact = transactor(client)
  const rows = db.collection<Row>('writers')
  const tombstones = tombstoneStore(db)
  const fence = deletionFence(db, transact, tombstones)
  return {
    ...machines,
    rows,
    owners: async () => (await rows.find({ _id: { $gt: 0 } }).toArray()).map(({ owner }) => String(owner)),
    async markDeleted(account: string) {
      await transact((session) => tombstones.add(account, session))
      await fence.raise()
    },
    accountsOf: (count: number) => machines.newAccounts(count),
  }
}

t.test('each writer has a number, which goes to another writer after ten minutes without use', async (t) => {
  const { machine, rows, owners, accountsOf } = await setUp(t)
  const [ann = ''] = await accountsOf(1)
  const machines = [machine(), machine(), machine()]
  await Promise.all(machines.map(({ writer }) => writer.createPost(createCommand(ann))))
  t.equal(new Set(await owners()).size, 3)
  t.same(
    (await rows.find().toArray()).map(({ _id }) => _id),
    [0, 1, 2, 3],
  )
  for (const { writer } of machines) await writer.createPost(createCommand(ann))
  t.equal((await owners()).length, 3, 'each keeps its number')

  const [first] = await owners()
  await rows.updateOne({ _id: 1 }, { $set: { at: new Date(Date.now() - 600_001) } })
  const late = machine()
  await late.writer.createPost(createCommand(ann))
  t.equal((await owners()).length, 3, 'the unused number is reassigned')
  t.not((await owners())[0], first)
  const commands = machines.map(() => createCommand(ann))
  await Promise.all(machines.map(({ writer }, n) => writer.createPost(commands[n] ?? createCommand(ann))))
  t.equal(new Set(await owners()).size, 4, 'its previous writer takes another number')
  t.same((await rows.find({ _id: { $gt: 0 } }).toArray()).length, 4)
})

t.test('for a deleted account every write is refused, but withdrawals, unfollows and deletions apply', async (t) => {
  const { machine, db, markDeleted, accountsOf } = await setUp(t)
  const [ann = '', bob = ''] = await accountsOf(2)
  const [first, other] = [machine(), machine()]
  const { writer } = first
  const [post, own] = [createCommand(bob), createCommand(ann)]
  await writer.createPost(post)
  await writer.createPost(own)
  await writer.react(reactCommand(post.id, ann, 'like'))
  await writer.follow(following(ann, bob))
  await markDeleted(ann)
  for (const { writer } of [machine(), other, first]) {
    await t.rejects(writer.createPost(createCommand(ann)), refusal)
    await t.rejects(writer.react(reactCommand(post.id, ann, 'dislike')), refusal)
    await t.rejects(writer.follow(following(ann, bob)), refusal)
    t.same(await writer.follow(following(bob, ann)), { outcome: 'account-not-found' })
    await t.rejects(writer.editPost({ post: own.id, by: ann, text: '…', at: 1 }), refusal)
    t.same(await writer.react(reactCommand(own.id, bob, 'like')), { outcome: 'not-found' }, 'its posts are hidden')
    t.same(await writer.createPost(createCommand(bob, { replyTo: own.id })), { outcome: 'parent-not-found' })
  }
  t.match(await writer.react(reactCommand(post.id, ann, null)), {
    outcome: 'reacted',
    value: null,
    counts: { likes: 0 },
  })
  t.same(await writer.follow(following(ann, bob, false)), { outcome: 'done' })
  t.same(await writer.deletePost(deleteCommand(own.id, ann)), { outcome: 'deleted' })
  for (const name of ['reactions', 'follows']) t.equal(await db.collection(name).countDocuments(), 0, name)
})

t.test('the deletion of a server that gives it no epoch, as earlier versions did, is known as soon', async (t) => {
  const { machine, db, rows, accountsOf } = await setUp(t)
  const [ann = '', bob = ''] = await accountsOf(2)
  const { writer } = machine()
  await writer.createPost(createCommand(ann))
  await db.collection<AccountTombstone>('removedAccounts').insertOne({ _id: toUuid(ann), at: new Date() })
  await rows.updateMany({}, { $inc: { raised: 1 } })
  await t.rejects(writer.createPost(createCommand(ann)), refusal)
  t.same(await writer.createPost(createCommand(bob)), { outcome: 'created' })
})

t.test('in a batch only the commands of a deleted account are refused', async (t) => {
  const { machine, markDeleted, accountsOf } = await setUp(t)
  const [ann = '', bob = ''] = await accountsOf(2)
  const only = machine()
  const post = createCommand(bob)
  await only.writer.createPost(post)
  await markDeleted(ann)
  const toError = (error: unknown) => error
  const answers = await inOneBatch(only, ({ react, createPost: create }) => [
    react(reactCommand(post.id, ann, 'like')).catch(toError),
    react(reactCommand(post.id, bob, 'like')),
    create(createCommand(ann)).catch(toError),
    create(createCommand(bob)),
  ])
  t.match(answers, [refusal, { counts: { likes: 1, dislikes: 0 } }, refusal, { outcome: 'created' }])
})

t.test('no batch writes for an account after its deletion has committed', { timeout: 120_000 }, async (t) => {
  const { machine, db, markDeleted, accountsOf } = await setUp(t)
  const machines = [machine(), machine(), machine()]
  const [author = '', ...deletedAccounts] = await accountsOf(9)
  // One post for each machine: their batches conflict only at the fence.
  const posts = machines.map(() => createCommand(author))
  for (const post of posts) await machines[0]?.writer.createPost(post)
  const reactions = db.collection('reactions')
  await Promise.all(
    deletedAccounts.map(async (account, n) => {
      const { writer } = machines[n % 3] ?? machine()
      const post = posts[n % 3]?.id ?? ''
      let writes = 0
      let isRefused = false
      const writing = (async () => {
        for (let m = 0; !isRefused; m += 1) {
          await writer.react(reactCommand(post, account, m % 2 ? 'like' : 'dislike')).then(
            () => {
              writes += 1
            },
            (error: { code?: string }) => {
              t.equal(error.code, 'unauthenticated')
              isRefused = true
            },
          )
        }
      })()
      await delay(100 + 60 * n)
      await eventually(() => writes > 1)
      await markDeleted(account)
      // Read at once: a later batch could only change what is found here.
      const before = await reactions.findOne({ account: toUuid(account) })
      await writing
      t.same(await reactions.findOne({ account: toUuid(account) }), before, 'nothing was written after the deletion')
    }),
  )
})
