import type { UUID } from 'mongodb'
import t from 'tap'
import { tombstoneStore } from '../../src/accounts/tombstone.ts'
import { newId, toUuid } from '../../src/database/ids.ts'
import { transactor } from '../../src/database/transaction.ts'
import { deletionFence } from '../../src/writer/fence.ts'
import { creation, reaction, removal } from './fixtures/commands.ts'
import { atOnce, freshMachines } from './fixtures/machines.ts'

type Row = { _id: number; owner: UUID; at: Date }
const refusal = { name: 'Problem', code: 'unauthenticated' }
const following = (from: string, to: string, follows = true) => ({ from, to, follows, order: newId() })

async function setScene(t: Parameters<typeof freshMachines>[0]) {
  const machines = await freshMachines(t)
  const { db, client } = machines
  const transact = transactor(client)
  const rows = db.collection<Row>('writers')
  return {
    ...machines,
    rows,
    owners: async () => (await rows.find({ _id: { $gt: 0 } }).toArray()).map(({ owner }) => String(owner)),
    markDeleted: (account: string) =>
      transact(async (session) => {
        await deletionFence(db).bumpEpoch(session)
        await tombstoneStore(db).add(account, session)
      }),
    accountsOf: (count: number) => machines.newAccounts(count),
  }
}

t.test('each writer has a number of its own; one that is free goes to the next', async (t) => {
  const { machine, rows, owners, accountsOf } = await setScene(t)
  const [ann = ''] = await accountsOf(1)
  const all = [machine(), machine(), machine()]
  await Promise.all(all.map(({ writer }) => writer.createPost(creation(ann))))
  t.equal(new Set(await owners()).size, 3)
  t.same(
    (await rows.find().toArray()).map(({ _id }) => _id),
    [0, 1, 2, 3],
  )
  for (const { writer } of all) await writer.createPost(creation(ann))
  t.equal((await owners()).length, 3, 'they keep theirs')

  const [first] = await owners()
  await rows.updateOne({ _id: 1 }, { $set: { at: new Date(Date.now() - 600_001) } })
  const late = machine()
  await late.writer.createPost(creation(ann))
  t.equal((await owners()).length, 3, 'a place that was not used for ten minutes is taken')
  t.not((await owners())[0], first)
  const wishes = all.map(() => creation(ann))
  await Promise.all(all.map(({ writer }, n) => writer.createPost(wishes[n] ?? creation(ann))))
  t.equal(new Set(await owners()).size, 4, 'and whoever had it takes another, with nothing lost')
  t.same((await rows.find({ _id: { $gt: 0 } }).toArray()).length, 4)
})

t.test('nothing is written for an account that is gone, but much can be taken back', async (t) => {
  const { machine, db, markDeleted, accountsOf } = await setScene(t)
  const [ann = '', bob = ''] = await accountsOf(2)
  const [first, other] = [machine(), machine()]
  const { writer } = first
  const [post, own] = [creation(bob), creation(ann)]
  await writer.createPost(post)
  await writer.createPost(own)
  await writer.react(reaction(post.id, ann, 'like'))
  await writer.follow(following(ann, bob))
  await markDeleted(ann)
  for (const { writer } of [machine(), other, first]) {
    await t.rejects(writer.createPost(creation(ann)), refusal)
    await t.rejects(writer.react(reaction(post.id, ann, 'dislike')), refusal)
    await t.rejects(writer.follow(following(ann, bob)), refusal)
    t.same(await writer.follow(following(bob, ann)), { outcome: 'account-not-found' })
    await t.rejects(writer.editPost({ post: own.id, by: ann, text: '…', at: 1 }), refusal)
    t.equal(await writer.react(reaction(own.id, bob, 'like')), null, 'its posts are there for nobody')
    t.same(await writer.createPost(creation(bob, { replyTo: own.id })), { outcome: 'parent-not-found' })
  }
  t.match(await writer.react(reaction(post.id, ann, null)), { outcome: 'reacted', value: null, counts: { likes: 0 } })
  t.same(await writer.follow(following(ann, bob, false)), { outcome: 'done' })
  t.same(await writer.deletePost(removal(own.id, ann)), { outcome: 'deleted' })
  for (const name of ['reactions', 'follows']) t.equal(await db.collection(name).countDocuments(), 0, name)
})

t.test('in one batch with others only whoever is gone is refused', async (t) => {
  const { machine, markDeleted, accountsOf } = await setScene(t)
  const [ann = '', bob = ''] = await accountsOf(2)
  const one = machine()
  const post = creation(bob)
  await one.writer.createPost(post)
  await markDeleted(ann)
  const refused = (error: unknown) => error
  const answers = await atOnce(one, ({ react, createPost: create }) => [
    react(reaction(post.id, ann, 'like')).catch(refused),
    react(reaction(post.id, bob, 'like')),
    create(creation(ann)).catch(refused),
    create(creation(bob)),
  ])
  t.match(answers, [refusal, { counts: { likes: 1, dislikes: 0 } }, refusal, { outcome: 'created' }])
})

t.test('what a batch writes is there before the account is gone, or not at all', { timeout: 120_000 }, async (t) => {
  const { machine, db, markDeleted, accountsOf } = await setScene(t)
  const machines = [machine(), machine(), machine()]
  const [host = '', ...leavers] = await accountsOf(9)
  // Each machine has a post of its own: they meet only at the fence.
  const posts = machines.map(() => creation(host))
  for (const post of posts) await machines[0]?.writer.createPost(post)
  const reactions = db.collection('reactions')
  let written = 0
  await Promise.all(
    leavers.map(async (account, n) => {
      const { writer } = machines[n % 3] ?? machine()
      const post = posts[n % 3]?.id ?? ''
      let refused = false
      const writing = (async () => {
        for (let m = 0; !refused; m += 1) {
          await writer.react(reaction(post, account, m % 2 ? 'like' : 'dislike')).then(
            () => {
              written += 1
            },
            (error: { code?: string }) => {
              t.equal(error.code, 'unauthenticated')
              refused = true
            },
          )
        }
      })()
      await new Promise((resolve) => setTimeout(resolve, 100 + 60 * n))
      await markDeleted(account)
      // As soon as it is gone: whatever comes after it would be seen here or never.
      const before = await reactions.findOne({ account: toUuid(account) })
      await writing
      t.same(await reactions.findOne({ account: toUuid(account) }), before, 'nothing came after it')
    }),
  )
  t.ok(written > 15, `${written} were written`)
})
