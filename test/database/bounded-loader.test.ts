import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { boundedLoader } from '../../src/database/bounded-loader.ts'

type Query = { keys: readonly string[]; answer: (error?: Error) => void }

const bounds = { maxQueries: 2, queryTimeoutMs: 60_000, maxWaitMs: 60_000 }

/** A loader whose queries the test answers: the value of a key is the number of the query that read it. */
function heldLoader(overrides: Partial<typeof bounds> = {}) {
  const queries: Query[] = []
  const read = boundedLoader<number>(
    (keys) => {
      const { promise, resolve, reject } = Promise.withResolvers<Map<string, number>>()
      const number = queries.length
      const found = new Map(keys.filter((key) => key !== 'missing').map((key) => [key, number]))
      queries.push({ keys, answer: (error) => (error ? reject(error) : resolve(found)) })
      return promise
    },
    { ...bounds, ...overrides },
  )
  const answer = async (number: number, error?: Error) => {
    queries[number]?.answer(error)
    await nextTurn()
  }
  return { queries, read, answer, sent: () => queries.map(({ keys }) => keys.join('')) }
}

t.test('reads in one turn of the event loop are one query, with each key once', async (t) => {
  const { read, answer, sent } = heldLoader()
  const values = Promise.all(['a', 'b', 'missing', 'a'].map(read))
  await nextTurn()
  t.same(sent(), ['abmissing'])
  await answer(0)
  t.same(await values, [0, 0, undefined, 0])
})

t.test('while all queries are in flight, further reads wait and share the next one', async (t) => {
  const { read, answer, sent } = heldLoader()
  const values: Promise<number | undefined>[] = []
  for (const key of 'abcdefg') {
    values.push(read(key))
    await nextTurn()
  }
  t.same(sent(), ['a', 'b'])
  await answer(1)
  t.same(sent(), ['a', 'b', 'cdefg'])
  await answer(0)
  await answer(2)
  t.same(await Promise.all(values), [0, 1, 2, 2, 2, 2, 2])
})

t.test('a read joins no query that was sent before it, and a key is in one query at a time', async (t) => {
  const { read, answer, sent } = heldLoader()
  const first = read('a')
  await nextTurn()
  const later = [read('a'), read('a'), read('b')]
  await nextTurn()
  t.same(sent(), ['a', 'b'])
  await answer(0)
  t.equal(await first, 0)
  t.same(sent(), ['a', 'b', 'a'])
  await answer(1)
  await answer(2)
  t.same(await Promise.all(later), [2, 2, 1])
})

t.test('a failed query fails its own reads, and the next one is sent', async (t) => {
  const { read, answer, sent } = heldLoader({ maxQueries: 1 })
  const first = read('a')
  await nextTurn()
  const later = read('a')
  const failed = t.rejects(first, { message: 'no connection' })
  await answer(0, new Error('no connection'))
  await failed
  t.same(sent(), ['a', 'a'])
  await answer(1)
  t.equal(await later, 1)
})

t.test('a query without an answer ends after its time, and makes room for the next', async (t) => {
  const { read, answer, sent } = heldLoader({ maxQueries: 1, queryTimeoutMs: 50 })
  const first = read('a')
  await nextTurn()
  const later = read('a')
  await t.rejects(first, { name: 'QueryTimeoutError' })
  await nextTurn()
  t.same(sent(), ['a', 'a'])
  await answer(1)
  t.equal(await later, 1)
})

t.test('a read that has waited too long is dropped, not sent', async (t) => {
  const { read, answer, sent } = heldLoader({ maxQueries: 1, maxWaitMs: -1 })
  const late = read('a')
  await t.rejects(late, { name: 'QueryTimeoutError' })
  await answer(0)
  t.same(sent(), [])
})

t.test('a query has at most 1,000 keys', async (t) => {
  const { queries, read, answer } = heldLoader({ maxQueries: 1 })
  const values = Array.from({ length: 2_500 }, (_, n) => read(String(n)))
  await nextTurn()
  for (let n = 0; n < 3; n += 1) await answer(n)
  await Promise.all(values)
  t.same(
    queries.map(({ keys }) => keys.length),
    [1_000, 1_000, 500],
  )
})
