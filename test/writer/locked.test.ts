import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { newId, toUuid } from '../../src/database/ids.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import { creation, reaction } from './fixtures/commands.ts'
import { freshMachines } from './fixtures/machines.ts'
import { disagreements, readStored } from './fixtures/stored.ts'

/** A machine with posts, some of which a transaction keeps locked that nobody ends: its process died, or hangs. */
async function lockedPosts(t: Test, { locked, open }: { locked: number; open: number }) {
  const { db, client, machine, newAccounts } = await freshMachines(t)
  const { writer } = machine()
  const [author = ''] = await newAccounts(1)
  const wishes = Array.from({ length: locked + open }, () => creation(author))
  await Promise.all(wishes.map((wish) => writer.createPost(wish)))
  const ids = wishes.map(({ id }) => id)
  const session = client.startSession()
  session.startTransaction()
  const posts = db.collection<PostDocument>('posts')
  await posts.updateMany({ _id: { $in: ids.slice(0, locked).map(toUuid) } }, { $inc: { revision: 1 } }, { session })
  const unlock = async () => {
    if (session.inTransaction()) await session.abortTransaction()
    await session.endSession()
  }
  t.teardown(unlock)
  const stored = () => readStored(db, client)
  return { writer, author, locked: ids.slice(0, locked), open: ids.slice(locked), unlock, stored }
}

for (const count of [1, 20]) {
  t.test(`${count} locked: only those who want them wait`, { timeout: 120_000 }, async (t) => {
    const { writer, author, locked, open, unlock, stored } = await lockedPosts(t, { locked: count, open: 40 })
    let waiting = 0
    const late = locked.flatMap((post) =>
      [1, 2, 3].map(async () => {
        waiting += 1
        await writer.react(reaction(post, newId(), 'like'))
        waiting -= 1
      }),
    )
    // Whoever is told that it took too long shows in the count of those who wait.
    for (const one of late) one.catch(() => undefined)
    // Begun together with them, so that they are in one batch; then more, in company of more who want what is locked.
    for (let round = 0; round < 10; round += 1) {
      const company = locked.slice(0, 3).map((post) => writer.react(reaction(post, newId(), 'dislike')))
      for (const one of company) one.catch(() => undefined)
      late.push(...company.map(async (one) => void (await one.catch(() => undefined))))
      const answers = await Promise.all([
        ...open.map((post) => writer.react(reaction(post, newId(), 'like'))),
        writer.createPost(creation(author)),
      ])
      t.equal(answers.filter((answer) => answer.outcome === 'reacted').length, open.length + 1)
    }
    t.equal(waiting, 3 * count, 'those who want what is locked still wait')
    await unlock()
    await Promise.allSettled(late)
    t.equal(waiting, 0, 'and are served once it is not')
    const after = await stored()
    t.same(disagreements(after), [])
    t.equal(after.reactions.filter(({ value }) => value === 'like').length, 10 * open.length + 3 * count)
  })
}

t.test('what stays locked is told in time, and nothing of it is written later', { timeout: 120_000 }, async (t) => {
  const { writer, locked, unlock, stored } = await lockedPosts(t, { locked: 1, open: 0 })
  const [post = ''] = locked
  const from = performance.now()
  await t.rejects(writer.react(reaction(post, newId(), 'like')), { name: 'TransactionTimeoutError' })
  t.ok(performance.now() - from < 30_000)
  await unlock()
  await delay(300)
  t.equal((await stored()).reactions.length, 0)
  t.match(await writer.react(reaction(post, newId(), 'like')), { counts: { likes: 1 } }, 'then it goes on')
})
