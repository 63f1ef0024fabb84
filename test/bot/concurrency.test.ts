import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { forEachConcurrent, Semaphore } from '../../bot/concurrency.ts'

t.test('a gate lets so many through, in order, and again after a failure', async (t) => {
  const semaphore = new Semaphore(3)
  const order: number[] = []
  let inside = 0
  let most = 0
  const pass = (i: number) =>
    semaphore.run(async () => {
      order.push(i)
      inside += 1
      most = Math.max(most, inside)
      await sleep(2)
      inside -= 1
      if (i === 4) throw new Error('stumbled')
      return i
    })
  const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => pass(i)))
  t.equal(most, 3)
  t.strictSame(
    order,
    order.toSorted((a, b) => a - b),
  )
  t.equal(results.filter(({ status }) => status === 'rejected').length, 1)
  t.equal(await semaphore.run(async () => 'free'), 'free')
})

t.test('each item once, no more at a time than asked', async (t) => {
  const seen: number[] = []
  let inside = 0
  let most = 0
  await forEachConcurrent(new Set(Array.from({ length: 50 }, (_, i) => i)), 8, async (i) => {
    inside += 1
    most = Math.max(most, inside)
    await sleep(1)
    inside -= 1
    seen.push(i)
  })
  t.equal(most, 8)
  t.strictSame(
    seen.toSorted((a, b) => a - b),
    Array.from({ length: 50 }, (_, i) => i),
  )
})

t.test('the first error is the answer, and nothing is begun after it', async (t) => {
  let begun = 0
  const broken = forEachConcurrent(
    Array.from({ length: 100 }, (_, i) => i),
    2,
    async (i) => {
      begun += 1
      await sleep(1)
      if (i === 3) throw new Error('the third')
    },
  )
  await t.rejects(broken, { message: 'the third' })
  await sleep(10)
  t.ok(begun < 8)
})
