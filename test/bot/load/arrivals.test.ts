import t from 'tap'
import { dueAt, runArrivals } from '../../../bot/load/arrivals.ts'

t.test('arrivals are evenly spaced; in a ramp their rate grows in a straight line', async (t) => {
  const plan = { rate: 200, rampMs: 0, forMs: 1_000 }
  t.strictSame(
    [0, 1, 2, 200].map((index) => dueAt(plan, index)),
    [0, 5, 10, 1_000],
  )
  const ramped = { rate: 200, rampMs: 10_000, forMs: 1_000 }
  const inRamp = (from: number, to: number) =>
    Array.from({ length: 2_000 }, (_, index) => dueAt(ramped, index)).filter((due) => due >= from && due < to).length
  t.equal(inRamp(0, 10_000), 1_000, 'half of what the full rate would give')
  t.equal(inRamp(0, 5_000), 250)
  t.equal(inRamp(10_000, 11_000), 200)
})

t.test('an arrival starts however late, with its intended start; within a millisecond it is on time', async (t) => {
  let now = 1_000
  const intended: number[] = []
  await runArrivals(
    { rate: 100, rampMs: 0, forMs: 100 },
    (at) => {
      intended.push(at)
      // The first arrival blocks the clock for 55 ms.
      now += intended.length === 1 ? 55 : 0.2
    },
    new AbortController().signal,
    () => {
      now += 0.1
      return now
    },
  )
  t.equal(intended.length, 10)
  t.ok((intended[0] ?? 0) < 1_001)
  t.strictSame(
    intended.slice(1, 6).map((at) => Math.round(at)),
    [1_011, 1_021, 1_031, 1_041, 1_051],
  )
})

t.test('arrivals end when the run is stopped', async (t) => {
  const stopping = new AbortController()
  let started = 0
  await runArrivals(
    { rate: 1_000, rampMs: 0, forMs: 60_000 },
    () => {
      started += 1
      if (started === 5) stopping.abort()
    },
    stopping.signal,
  )
  t.ok(started >= 5 && started < 1_000, `${started}`)
})
