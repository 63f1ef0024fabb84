import t from 'tap'
import { batchSize } from '../../src/writer/batch-size.ts'

/** Sizes of full batches on a database that needs `batchMs` for one. */
function grow(size: ReturnType<typeof batchSize>, batchMs: (items: number) => number, batches: number): number[] {
  return Array.from({ length: batches }, () => {
    const items = size.limit()
    size.completed(items, batchMs(items))
    return items
  })
}

t.test('batches are as large as possible before anything is known, and while they are quick', async (t) => {
  t.same(
    grow(batchSize(), (items) => 10 + items / 10, 4),
    [500, 500, 500, 500],
  )
})

t.test('where each item costs time, a batch takes about 200 ms', async (t) => {
  const size = batchSize()
  size.completed(20, 50)
  const sizes = grow(size, (items) => 10 + 2 * items, 30).slice(5)
  t.ok(
    sizes.every((items) => items > 70 && items < 130),
    String(sizes),
  )
})

t.test('where even the smallest batch takes long, large ones are worth it', async (t) => {
  const size = batchSize()
  size.completed(20, 808)
  const sizes = grow(size, (items) => 800 + 0.4 * items, 10)
  t.same(new Set(sizes), new Set([500]))
})

t.test('batches stay large where a batch takes over 1.5 s whatever its size', async (t) => {
  const size = batchSize()
  size.completed(20, 1_808)
  const sizes = grow(size, (items) => 1_800 + 0.4 * items, 10)
  t.ok(
    sizes.every((items) => items > 50),
    String(sizes),
  )
})

t.test('a batch that ran out of time: the next has a quarter, at least 8, and later ones grow again', async (t) => {
  const size = batchSize()
  size.ranOutOfTime(500, 4_500)
  t.equal(size.limit(), 125)
  for (let n = 0; n < 5; n += 1) size.ranOutOfTime(size.limit(), 1_000)
  t.equal(size.limit(), 8)
  t.same(
    grow(size, () => 10, 4),
    [8, 32, 128, 500],
  )
})

t.test('tries are short after a batch that ran out of time, longer with each one more', async (t) => {
  const size = batchSize()
  t.equal(size.patienceMs(), Number.POSITIVE_INFINITY)
  size.ranOutOfTime(100, 4_500)
  t.equal(size.patienceMs(), 1_000)
  size.ranOutOfTime(25, 1_000)
  t.equal(size.patienceMs(), 2_000)
  size.completed(8, 10)
  t.equal(size.patienceMs(), Number.POSITIVE_INFINITY)
})

t.test('a single batch that took long does not change the size for long', async (t) => {
  const size = batchSize()
  for (let n = 0; n < 20; n += 1) size.completed(50 + n, 15)
  size.completed(60, 900)
  size.completed(60, 15)
  size.completed(60, 15)
  t.ok(size.limit() >= 400, String(size.limit()))
})
