import t from 'tap'
import { sample } from '../../../bot/check/sample.ts'

function taken(total: number, most: number): number[] {
  const isTaken = sample(total, most)
  return Array.from({ length: total }, (_, n) => n).filter(() => isTaken())
}

t.test('a sample has all of a few', async (t) => {
  t.same(taken(0, 3), [])
  t.same(taken(3, 3), [0, 1, 2])
})

t.test('a sample has at most so many, and reaches to the end', async (t) => {
  t.same(taken(4, 3), [0, 2])
  for (const total of [7, 100, 12_345]) {
    const items = taken(total, 10)
    t.ok(items.length <= 10 && items.length >= 4, `${items.length} of ${total}`)
    t.ok(total - (items.at(-1) ?? 0) <= Math.ceil(total / 10), 'the last is near the end')
  }
})

t.test('items that were not counted before may come in addition', async (t) => {
  const isTaken = sample(0, 10)
  t.same([isTaken(), isTaken()], [true, true])
})
