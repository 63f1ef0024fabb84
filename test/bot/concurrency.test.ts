import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { forEachConcurrent, Semaphore } from '../../bot/concurrency.ts'

t.test('a semaphore with 3 permits runs 3 tasks at a time, in order, and recovers from a failed one', async (t) => {
  const semaphore = new Semaphore(3)
  const order: number[] = []
  let running = 0
  let maxRunning = 0
  const runTask = (i: number) =>
    semaphore.run(async () => {
      order.push(i)
      running += 1
      maxRunning = Math.max(maxRunning, running)
      await sleep(2)
      running -= 1
      if (i === 4) throw new Error('task 4 failed')
      return i
    })
  const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => runTask(i)))
  t.equal(maxRunning, 3)
  t.strictSame(
    order,
    order.toSorted((a, b) => a - b),
  )
  t.equal(results.filter(({ status }) => status === 'rejected').length, 1)
  t.equal(await semaphore.run(async () => 'free'), 'free')
})

t.test('forEachConcurrent runs the task once for each item, at most `limit` at a time', async (t) => {
  const seen: number[] = []
  let running = 0
  let maxRunning = 0
  await forEachConcurrent(new Set(Array.from({ length: 50 }, (_, i) => i)), 8, async (i) => {
    running += 1
    maxRunning = Math.max(maxRunning, running)
    await sleep(1)
    running -= 1
    seen.push(i)
  })
  t.equal(maxRunning, 8)
  t.strictSame(
    seen.toSorted((a, b) => a - b),
    Array.from({ length: 50 }, (_, i) => i),
  )
})

t.test('forEachConcurrent rejects with the first error and starts no task after it', async (t) => {
  let started = 0
  const rejecting = forEachConcurrent(
    Array.from({ length: 100 }, (_, i) => i),
    2,
    async (i) => {
      started += 1
      await sleep(1)
      if (i === 3) throw new Error('task 3 failed')
    },
  )
  await t.rejects(rejecting, { message: 'task 3 failed' })
  await sleep(10)
  t.ok(started < 8)
})
