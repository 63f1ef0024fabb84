import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { newId, toUuid } from '../../src/database/ids.ts'
import { transactor } from '../../src/database/transaction.ts'
import type { PostDocument } from '../../src/posts/model.ts'
import { createWriter, writeQueue } from '../../src/write-operations.ts'
import { createCommand, reactCommand } from './fixtures/commands.ts'
import { freshMachines } from './fixtures/machines.ts'
import { readStored, violatedInvariants } from './fixtures/stored.ts'

/** A machine with posts, some locked by an open transaction, as of a killed process or one that hangs. */
async function lockedPosts(t: Test, { locked, open }: { locked: number; open: number }) {
  const { db, client, newAccounts } = await freshMachines(t)
  const queue = writeQueue(db, transactor(client))
  const writer = createWriter((submission) => queue.submit(submission))
  // Ten rounds of other commands may take longer than the usual deadline on a busy machine.
  const patientWriter = createWriter((submission) => queue.submit(submission, performance.now() + 60_000))
  const [author = ''] = await newAccounts(1)
  const commands = Array.from({ length: locked + open }, () => createCommand(author))
  await Promise.all(commands.map((command) => writer.createPost(command)))
  const ids = commands.map(({ id }) => id)
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
  return { writer, patientWriter, author, locked: ids.slice(0, locked), open: ids.slice(locked), unlock, stored }
}

for (const count of [1, 20]) {
  t.test(
    `${count} locked: only commands for these wait, and the unlock lets them through`,
    { timeout: 120_000 },
    async (t) => {
      const { writer, patientWriter, author, locked, open, unlock, stored } = await lockedPosts(t, {
        locked: count,
        open: 40,
      })
      let waiting = 0
      const deferred = locked.flatMap((post) =>
        [1, 2, 3].map(async () => {
          waiting += 1
          await patientWriter.react(reactCommand(post, newId(), 'like'))
          waiting -= 1
        }),
      )
      // A command that times out stays in the count of those that wait.
      for (const one of deferred) one.catch(() => undefined)
      // The first round shares a batch with the commands above; each later one with new commands for locked posts.
      let rounds = 0
      // MongoDB ends the transaction that holds the lock after 10 s, in which a busy machine has fewer rounds.
      for (const end = performance.now() + 4_000; rounds < 10 && performance.now() < end; rounds += 1) {
        const contending = locked.slice(0, 3).map((post) => writer.react(reactCommand(post, newId(), 'dislike')))
        for (const one of contending) one.catch(() => undefined)
        deferred.push(...contending.map(async (one) => void (await one.catch(() => undefined))))
        const answers = await Promise.all([
          ...open.map((post) => patientWriter.react(reactCommand(post, newId(), 'like'))),
          patientWriter.createPost(createCommand(author)),
        ])
        const outcomes = answers.map(({ outcome }) => outcome)
        t.same(outcomes, [...open.map(() => 'reacted'), 'created'])
      }
      t.equal(waiting, 3 * count, 'commands for locked posts still wait')
      await unlock()
      await Promise.allSettled(deferred)
      t.equal(waiting, 0, 'and are applied after the unlock')
      const after = await stored()
      t.same(violatedInvariants(after), [])
      t.equal(after.reactions.filter(({ value }) => value === 'like').length, rounds * open.length + 3 * count)
    },
  )
}

t.test(
  'a command for a post that stays locked fails by its deadline and is never applied',
  { timeout: 120_000 },
  async (t) => {
    const { writer, locked, unlock, stored } = await lockedPosts(t, { locked: 1, open: 0 })
    const [post = ''] = locked
    const from = performance.now()
    await t.rejects(writer.react(reactCommand(post, newId(), 'like')), { name: 'TransactionTimeoutError' })
    t.ok(performance.now() - from < 30_000)
    await unlock()
    await delay(300)
    t.equal((await stored()).reactions.length, 0)
    t.match(
      await writer.react(reactCommand(post, newId(), 'like')),
      { counts: { likes: 1 } },
      'the next command is applied',
    )
  },
)
