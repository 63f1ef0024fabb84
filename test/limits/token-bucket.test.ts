import fc from 'fast-check'
import t from 'tap'
import { clientBuckets, networkFactor } from '../../src/limits/client-buckets.ts'
import { recentMap } from '../../src/limits/recent-map.ts'
import { tokenBuckets } from '../../src/limits/token-bucket.ts'

const limit = { name: 'reads', description: 'reads', quota: 9, windowSeconds: 900 }
const over = { code: 'rate-limited' }

t.test('a bucket holds the quota and refills evenly', async (t) => {
  let now = 1_000
  const buckets = tokenBuckets(limit, { nowMs: () => now })
  for (let left = 8; left >= 0; left -= 1)
    t.same(buckets.headersOf(buckets.consume('ann')), {
      'ratelimit-policy': '"reads";q=9;w=900',
      ratelimit: `"reads";r=${left};t=100`,
    })
  const headers = { 'retry-after': '100', 'ratelimit-policy': '"reads";q=9;w=900', ratelimit: '"reads";r=0;t=100' }
  t.throws(() => buckets.consume('ann'), { ...over, headers })
  t.match(buckets.consume('bob'), { tokens: 8 }, 'another subject has its own bucket')
  now += 99_000
  t.throws(() => buckets.consume('ann'), { ...over, headers: { 'retry-after': '1' } })
  now += 1_000
  t.match(buckets.consume('ann'), { tokens: 0 })
  now += 10_000_000
  t.match(buckets.consume('ann'), { tokens: 8 }, 'it never holds more than the quota')
})

t.test('check takes nothing; settle and release never leave the bounds', async (t) => {
  const buckets = tokenBuckets(limit, { nowMs: () => 0 })
  for (let n = 0; n < 20; n += 1) buckets.check('ann')
  for (let n = 0; n < 20; n += 1) buckets.settle('ann')
  t.throws(() => buckets.check('ann'), over)
  for (let n = 0; n < 20; n += 1) buckets.release('ann')
  t.match(buckets.consume('ann'), { tokens: 8 })
})

t.test('in no time are more than the quota and what has refilled allowed', async () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 200_000 }), { maxLength: 60 })
  fc.assert(
    fc.property(gaps, (steps) => {
      let now = 0
      const buckets = tokenBuckets(limit, { nowMs: () => now })
      const allowedAt: number[] = []
      for (const step of steps) {
        now += step
        try {
          buckets.consume('ann')
          allowedAt.push(now)
        } catch {}
      }
      return allowedAt.every((from, first) =>
        allowedAt.slice(first).every((to, n) => n + 1 <= 9 + ((to - from) * 9) / 900_000 + 1e-6),
      )
    }),
  )
})

t.test('the number of buckets is bounded, and the last used are kept', async (t) => {
  const buckets = tokenBuckets(limit, { maxBuckets: 100, nowMs: () => 0 })
  for (let n = 0; n < 9; n += 1) buckets.consume('busy')
  for (let n = 0; n < 1_000; n += 1) {
    buckets.consume(`address ${n}`)
    t.throws(() => buckets.consume('busy'), over)
  }
  t.ok(buckets.size <= 100, `${buckets.size} buckets`)
  const map = recentMap<number>(10)
  for (let n = 0; n < 100; n += 1) map.set(`${n}`, n)
  t.same([map.get('99'), map.get('1'), map.size <= 10], [99, undefined, true])
})

t.test('a network has four times the quota of an address, which one address alone does not use up', async (t) => {
  for (const [address, neighbour, elsewhere] of [
    [(n: number) => `203.0.113.${n}`, '203.0.113.99', '203.0.114.1'],
    [(n: number) => `2001:db8:1:${n}::1`, '2001:db8:1:ffff::1', '2001:db8:2::1'],
    [(n: number) => `::ffff:198.51.100.${n}`, '198.51.100.99', '198.51.101.1'],
  ] as const) {
    const clients = clientBuckets({ name: 'reads', description: 'reads', perAddress: 5 })
    for (let n = 0; n < 5; n += 1) clients.consume(address(1))
    for (let n = 0; n < 50; n += 1) t.throws(() => clients.consume(address(1)), over)
    for (let n = 5; n < 5 * networkFactor; n += 1) clients.consume(address(n))
    t.throws(() => clients.consume(neighbour), {
      ...over,
      headers: { 'ratelimit-policy': '"reads-by-network";q=20;w=900' },
    })
    clients.release(address(6))
    t.match(clients.headersOf(clients.consume(neighbour)), { 'ratelimit-policy': '"reads-by-address";q=5;w=900' })
    clients.consume(elsewhere)
  }
})

t.test('a subject that is only looked at takes no room', async (t) => {
  const buckets = tokenBuckets({ name: 'x', description: 'x', quota: 1, windowSeconds: 60 })
  t.equal(buckets.isEmpty('claimed'), false)
  t.equal(buckets.size, 0)
  buckets.consume('known')
  t.equal(buckets.isEmpty('known'), true)
})
