import t from 'tap'
import { v7 } from 'uuid'
import { dayMs, dayOf } from '../../src/analytics/daily-counts.ts'
import { dayExpression } from '../../src/analytics/day-expression.ts'
import { firstIdOf } from '../../src/database/ids.ts'
import { freshDatabase, makeClient, signUp, testServer } from '../helper.ts'

t.test('a range of 1 to 366 valid days is answered day by day; any other gets 400 with a pointer', async (t) => {
  const { url } = await testServer(t)
  const { client } = await signUp(url)
  const ask = (query: string) =>
    client.get<{ items: { date: string }[]; errors?: { pointer: string }[] }>(`v1/analytics/reactions${query}`)
  const good: [string, number][] = [
    ['?from=2026-01-01&to=2026-01-01', 1],
    ['?from=2026-01-01&to=2027-01-01', 366],
    ['?from=2024-01-01&to=2024-12-31', 366],
    ['?from=2024-02-28&to=2024-03-01', 3],
    ['?from=0001-01-01&to=0001-01-31', 31],
    ['?from=9999-12-01&to=9999-12-31', 31],
  ]
  for (const [query, count] of good) {
    const { statusCode, body } = await ask(query)
    t.equal(statusCode, 200, query)
    t.equal(body.items.length, count, query)
    t.equal(new Set(body.items.map(({ date }) => date)).size, count, 'each day once')
    t.same(
      body.items.map(({ date }) => date),
      body.items.map(({ date }) => date).toSorted(),
      'in order',
    )
  }
  const bad: [string, string[]][] = [
    ['', ['/query/from', '/query/to']],
    ['?from=2026-01-01', ['/query/to']],
    ['?to=2026-01-01', ['/query/from']],
    ['?from=2026-01-02&to=2026-01-01', ['/query/to']],
    ['?from=2026-01-01&to=2027-01-02', ['/query/to']],
    ['?from=2026-02-29&to=2026-03-01', ['/query/from']],
    ['?from=2026-1-1&to=2026-01-01', ['/query/from']],
    ['?from=2026-01-01T00:00:00Z&to=2026-01-01', ['/query/from']],
    ['?from=2026-01-01&from=2026-01-01&to=2026-01-01', ['/query/from']],
    ['?from=2026-01-01&to=2026-01-01&limit=3', ['/query/limit']],
  ]
  for (const [query, pointers] of bad) {
    const { statusCode, body } = await ask(query)
    t.equal(statusCode, 400, query)
    t.same(body.errors?.map(({ pointer }) => pointer).sort(), pointers, query)
  }
})

t.test('the counts need a session, and are not cached', async (t) => {
  const { url } = await testServer(t)
  const path = 'v1/analytics/reactions?from=2026-01-01&to=2026-01-01'
  t.equal((await makeClient(url).get(path)).statusCode, 401)
  const { client } = await signUp(url)
  t.equal((await client.get(path)).headers['cache-control'], 'no-store')
})

t.test('dayExpression computes the same UTC day as the code, at both ends of 400 days', async (t) => {
  const { db } = await freshDatabase(t)
  const first = Math.floor(Date.UTC(2024, 0, 31) / dayMs) * dayMs
  const times = Array.from({ length: 400 }, (_, n) => first + n * dayMs + ([0, 1, dayMs / 2][n % 4] ?? dayMs - 1))
  const documents = times.map((msecs) => ({ order: firstIdOf(new Date(msecs)), at: msecs }))
  documents.push(
    ...times.map((msecs) => ({ order: firstIdOf(new Date(msecs + (dayMs - (msecs % dayMs)) - 1)), at: msecs })),
  )
  await db.collection('ids').insertMany(documents)
  for (const count of [1, 2, 3, 365, 366, 400]) {
    const last = first + (count - 1) * dayMs
    const expression = dayExpression('$order', new Date(first), new Date(last))
    const found = await db
      .collection('ids')
      .aggregate<{ at: number; day: Date }>([{ $match: { at: { $lt: last + dayMs } } }, { $set: { day: expression } }])
      .toArray()
    t.ok(found.length >= count)
    for (const { at, day } of found) if (day.getTime() !== Math.floor(at / dayMs) * dayMs) t.fail(`${at}`)
  }
  const id = v7({ msecs: Date.UTC(2026, 10, 26, 23, 59, 59, 999) })
  t.same(dayOf(id), new Date('2026-11-26T00:00:00Z'))
})
