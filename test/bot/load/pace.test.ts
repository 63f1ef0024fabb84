import t from 'tap'
import { paceOf } from '../../../bot/load/pace.ts'

t.test('arrivals come on a clock; overdue ones at once, with the time at which they were due', async (t) => {
  let now = 1_000
  const wait = async (ms: number) => {
    now += ms
  }
  const next = paceOf({ rate: 100, rampMs: 0, forMs: 1_000 }, undefined, () => now, wait)
  t.same([await next(), await next(), await next()], [1_000, 1_010, 1_020])
  now += 5_000
  t.same([await next(), await next()], [1_030, 1_040], 'the silence is in the latency from the intended start')
  t.equal(now, 6_020)
})

t.test('in a ramp of 10 s to 100 a second there are 500 arrivals', async (t) => {
  let now = 0
  const wait = async (ms: number) => {
    now += ms
  }
  const next = paceOf({ rate: 100, rampMs: 10_000, forMs: 1_000 }, undefined, () => now, wait)
  const due: number[] = []
  for (let n = 0; n <= 510; n += 1) due.push(await next())
  t.equal(due.filter((at) => at < 10_000).length, 500)
  t.equal(due[510], 10_100)
})

t.test('an arrival is late if the bot wakes up late, not if no robot is free', async (t) => {
  let [now, oversleepMs] = [0, 0]
  const wait = async (ms: number) => {
    now += ms + oversleepMs
  }
  const arrivals: [number, number][] = []
  const onArrival = (due: number, beganAt: number) => arrivals.push([due, beganAt])
  const next = paceOf({ rate: 100, rampMs: 0, forMs: 1_000 }, onArrival, () => now, wait)
  await next()
  oversleepMs = 30
  await next()
  now += 500
  await next()
  t.same(arrivals, [
    [0, 0],
    [10, 40],
    [20, 20],
  ])
})
