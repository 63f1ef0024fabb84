import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { ClientSession } from 'mongodb'
import t from 'tap'
import { groupCommit } from '../../src/writer/group-commit.ts'
import { regroup } from '../../src/writer/regroup.ts'

t.test('clients that write again as soon as they are answered come together in one batch', async (t) => {
  const clients = 16
  const sizes: number[] = []
  const { submit } = groupCommit<number, number>({
    // A commit: the session is never used.
    transact: (work) => work({} as ClientSession),
    apply: async (items) => {
      sizes.push(items.length)
      await sleep(3)
      return [...items]
    },
    sizeOf: () => 1,
    keyOf: String,
    markRetry: (item) => item,
  })
  const write = async (client: number) => {
    for (let n = 0; n < 20; n += 1) {
      // Each is back in another turn of the event loop.
      for (let turn = 0; turn < client; turn += 1) await nextTurn()
      await submit(client)
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, client) => write(client)))
  const whole = sizes.slice(2).filter((size) => size === clients).length
  t.ok(whole >= 5, `${whole} of ${sizes.length} batches were of all clients: ${sizes}`)
})

t.test('a client that writes alone, after a pause, or among as many as before does not wait', async (t) => {
  const isOver = async (waiting: Promise<void>) => {
    let over = false
    void waiting.then(() => {
      over = true
    })
    // No timer, and no turn of the event loop.
    for (let n = 0; n < 5; n += 1) await Promise.resolve()
    return over
  }
  const clients = regroup()
  clients.answered(1, 0)
  t.ok(await isOver(clients.wait(1)), 'alone')
  clients.answered(8, 2)
  t.ok(await isOver(clients.wait(10)), 'as many as before')
  clients.answered(8, 2)
  const waiting = clients.wait(3)
  t.notOk(await isOver(waiting), 'the others are about to come')
  clients.arrived(10)
  await waiting
  t.ok(await isOver(clients.wait(1)), 'the same clients are waited for once')
  clients.answered(8, 0)
  await sleep(10)
  t.ok(await isOver(clients.wait(1)), 'after a pause')
  clients.answered(8, 0)
  await clients.wait(1)
  t.pass('those that do not come are waited for no longer than a millisecond')
})
