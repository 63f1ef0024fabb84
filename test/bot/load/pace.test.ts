import t from 'tap'
import { Pace } from '../../../bot/load/pace.ts'
import { activityOf } from '../../../bot/people/activity.ts'
import { randomStream } from '../../../bot/random.ts'

/** A pace on a clock that the test sets. */
function paced(plan: { rate: number; rampMs: number; forMs: number }, activity = (_robot: number) => 1) {
  const time = { now: 1_000, wake: null as null | { act: () => void; at: number } }
  const arrivals: { due: number; startedAt: number }[] = []
  const clock = {
    now: () => time.now,
    schedule: (act: () => void, ms: number) => {
      time.wake = { act, at: time.now + ms }
      return () => {
        time.wake = null
      }
    },
  }
  const arrived = (due: number, startedAt: number) => arrivals.push({ due, startedAt })
  const pace = new Pace(plan, { activity, arrived, random: randomStream('test') }, clock)
  const advanceTo = (at: number) => {
    while (time.wake && time.wake.at <= at) {
      time.now = Math.max(time.now, time.wake.at)
      const { act } = time.wake
      time.wake = null
      act()
    }
    time.now = at
  }
  return { pace, arrivals, time, advanceTo }
}

t.test(
  'arrivals come on a clock; those for which no robot is free start late, with the time that was due',
  async (t) => {
    const { pace, arrivals, time, advanceTo } = paced({ rate: 100, rampMs: 0, forMs: 6_000 })
    const first = pace.next(0)
    const second = pace.next(0)
    advanceTo(1_010)
    t.same(await Promise.all([first, second]), [1_000, 1_010])
    time.now += 5_000
    t.same(
      [await pace.next(0), await pace.next(0)],
      [1_020, 1_030],
      'the silence is in the latency from the intended start',
    )
    t.same(arrivals.at(-1), { due: 1_030, startedAt: 6_010 })
  },
)

t.test('an arrival that no robot ever begins is counted as late at the end; after the end, none is', async (t) => {
  const { pace, arrivals, advanceTo } = paced({ rate: 100, rampMs: 0, forMs: 1_000 })
  advanceTo(3_000)
  t.equal(arrivals.length, 0)
  pace.stop()
  t.equal(arrivals.length, 100)
  t.ok(arrivals.every(({ due, startedAt }) => due < 2_000 && startedAt === 3_000))
  t.equal(await pace.next(0), 3_000, 'what is left to do is not held back')
})

t.test('robots in the middle of something go on at the rate for 5 s after the end, then all at once', async (t) => {
  const { pace, arrivals, advanceTo } = paced({ rate: 1, rampMs: 0, forMs: 1_000 })
  const begun: number[] = []
  for (let robot = 0; robot < 20; robot += 1) void pace.next(robot).then((due) => begun.push(due))
  advanceTo(4_000)
  await Promise.resolve()
  t.equal(begun.length, 4)
  advanceTo(9_000)
  await Promise.resolve()
  t.equal(begun.length, 20)
  t.equal(arrivals.length, 1, 'only that of the plan is counted')
})

t.test('in a ramp of 10 s to 100 a second there are 500 arrivals', async (t) => {
  const { pace, arrivals, advanceTo } = paced({ rate: 100, rampMs: 10_000, forMs: 1_000 })
  advanceTo(20_000)
  pace.stop()
  t.equal(arrivals.filter(({ due }) => due < 11_000).length, 500)
  t.equal(arrivals.length, 600)
})

t.test('the first robot begins twice as many arrivals as the second, and so on', async (t) => {
  const robots = 4
  const { pace, advanceTo } = paced({ rate: 100, rampMs: 0, forMs: 60_000 }, (robot) => activityOf(robot, robots))
  const counts = [0, 0, 0, 0]
  const live = async (robot: number): Promise<void> => {
    await pace.next(robot)
    counts[robot] = (counts[robot] ?? 0) + 1
    if (counts[robot] < 10_000) await live(robot)
  }
  for (let robot = 0; robot < robots; robot += 1) void live(robot)
  for (let at = 1_000; at <= 51_000; at += 10) {
    advanceTo(at)
    await new Promise((resolve) => setImmediate(resolve))
  }
  const [first = 0, second = 0, , fourth = 0] = counts
  t.ok(Math.abs(first / second - 2) < 0.3 && Math.abs(first / fourth - 4) < 0.8, counts.join(' '))
  t.ok(Math.abs([0, 1, 2, 3].reduce((sum, robot) => sum + activityOf(robot, robots), 0) - robots) < 1e-9)
})
