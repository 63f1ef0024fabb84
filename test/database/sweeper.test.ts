import { mock } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import t from 'tap'
import { sweeper } from '../../src/database/sweeper.ts'
import { eventually } from '../eventually.ts'

const silent = pino({ level: 'silent' })
const noteRefusal = () => false

t.test('wakes during a sweep cause one more sweep, and sweeps never overlap', async (t) => {
  let [runs, running, maxRunning] = [0, 0, 0]
  const { wake, close } = sweeper(
    async () => {
      runs += 1
      running += 1
      maxRunning = Math.max(maxRunning, running)
      await delay(20)
      running -= 1
    },
    silent,
    noteRefusal,
  )
  for (const _ of [1, 2, 3]) wake()
  await delay(5)
  for (const _ of [1, 2, 3]) wake()
  await delay(100)
  t.same([runs, maxRunning], [2, 1])
  wake()
  await delay(50)
  t.equal(runs, 3)
  await close()
})

t.test('a failed sweep is retried', async (t) => {
  let runs = 0
  const { wake, close } = sweeper(
    async () => {
      runs += 1
      if (runs === 1) throw new Error('once')
    },
    silent,
    noteRefusal,
  )
  wake()
  await eventually(() => runs >= 2)
  t.equal(runs, 2)
  await close()
})

t.test('without a wake, a sweep runs every minute until the sweeper is closed', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  let runs = 0
  const { close } = sweeper(
    async () => {
      runs += 1
    },
    silent,
    noteRefusal,
  )
  mock.timers.tick(59_999)
  t.equal(runs, 0)
  mock.timers.tick(1)
  t.equal(runs, 1)
  await close()
  mock.timers.tick(120_000)
  t.equal(runs, 1)
})

t.test('close aborts the running sweep, waits for it, and ignores later wakes', async (t) => {
  let [runs, ended] = [0, false]
  const { wake, close } = sweeper(
    async (signal) => {
      runs += 1
      while (!signal.aborted) await delay(5)
      ended = true
    },
    silent,
    noteRefusal,
  )
  wake()
  await delay(20)
  await close()
  t.ok(ended)
  wake()
  await delay(20)
  t.equal(runs, 1)
})
