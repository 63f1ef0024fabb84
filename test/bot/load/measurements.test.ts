import t from 'tap'
import type { Observation } from '../../../bot/history/operation.ts'
import { type MeasuredOperation, Measurements } from '../../../bot/load/measurements.ts'

/** Measurements on a clock that the test sets, of a bot that costs nothing. */
function measured({
  cpu = 0.1,
  loopDelayP99 = 0,
  waiting = 0,
}: {
  cpu?: number
  loopDelayP99?: number
  waiting?: number | null
} = {}) {
  const clock = { now: 0 }
  const own = { cpu, loopDelayMs: 0, waiting, steal: 0 }
  const reset = () => {
    loopDelayP99 = 0
  }
  const ownLoad = { sample: () => own, loopDelayP99: () => loopDelayP99, reset, stop: () => {} }
  const measurements = new Measurements(() => clock.now, ownLoad)
  const run = (operation: Partial<MeasuredOperation>, observations: Observation[] = []) => {
    const complete = {
      action: 'like',
      intended: 0,
      sent: 0,
      attempt: 1,
      answered: 1,
      status: 200,
      cause: '200',
      ...operation,
    }
    measurements.begin(complete)
    clock.now = Math.max(clock.now, complete.answered ?? 0)
    measurements.end(complete, observations)
  }
  return { measurements, clock, own, run }
}

t.test('latency runs from the intended start, with retries; service time from the last sending', async (t) => {
  const { measurements, run } = measured()
  run({ intended: 0, sent: 5, answered: 10, status: 503, cause: '503 overloaded' })
  run({ intended: 0, sent: 100, answered: 120, attempt: 2 })
  const { actions, errors, total } = measurements.figures()
  t.match(actions, [{ action: 'like', count: 1, errors: 1, retries: 1 }])
  t.match(total, { count: 1, errors: 1 })
  t.ok(Math.abs((total.latency.max ?? 0) - 120) < 0.2, `latency ${total.latency.max}`)
  t.ok(Math.abs((total.service.max ?? 0) - 20) < 0.2, `service ${total.service.max}`)
  t.strictSame(errors, [{ action: 'like', cause: '503 overloaded', count: 1 }])
})

t.test('percentiles have three figures, and there is no p99 under 100 samples', async (t) => {
  const { measurements, run } = measured()
  for (let ms = 1; ms <= 99; ms += 1) run({ answered: ms })
  t.match(measurements.figures().total.latency, { p99: null })
  run({ answered: 100 })
  const { p50, p90, p99, max } = measurements.figures().total.latency
  for (const [actual, expected] of [
    [p50, 50],
    [p90, 90],
    [p99, 99],
    [max, 100],
  ] as const)
    t.ok(Math.abs((actual ?? 0) - expected) < 0.2, `${actual} is about ${expected}`)
})

t.test(
  'a refusal that had to be one, a post that may be gone, an error and a request without an answer are counted apart',
  async (t) => {
    const { measurements, run } = measured()
    run({ status: 401, cause: '401 unauthenticated' }, [
      { claim: 'N', object: 'a session', expected: '401', seen: '401', holds: true },
    ])
    measurements.mayBeGone = (register) => register === 'post:ann/1'
    run({ status: 404, cause: '404 not-found' }, [{ register: 'post:ann/1', value: false }])
    run({ status: 404, cause: '404 not-found' }, [{ register: 'post:ann/2', value: false }])
    run({ answered: 30_000, status: null, cause: 'timeout' })
    const { total, errors } = measurements.figures()
    t.match(total, { count: 0, refused: 1, gone: 1, errors: 2, latency: { p50: null, max: null } })
    t.strictSame(
      errors.map(({ cause }) => cause),
      ['404 not-found', 'timeout'],
    )
  },
)

t.test('every second is in the series, also those without an answer; a silence is told', async (t) => {
  const { measurements, clock, run } = measured()
  run({ intended: 100, sent: 100, answered: 110 })
  run({ intended: 200, sent: 200, answered: 5_200 })
  clock.now = 7_000
  measurements.tick()
  const { series, silences, seconds, total } = measurements.figures()
  t.strictSame(
    series.map(({ requests }) => requests),
    [1, 0, 0, 0, 0, 1, 0],
  )
  t.match(series[5], { second: 5, cpu: 0.1, steal: 0, errors: 0 })
  t.ok(Math.abs((series[5]?.max ?? 0) - 5_000) < 5)
  t.match(series[1], { p50: null, max: null })
  t.strictSame(silences, [{ from: 0.2, seconds: 5 }])
  t.equal(seconds, 7)
  t.ok(Math.abs(total.perSecond - 2 / 7) < 0.001)
  t.equal(measurements.silence.silentMs(8_000), 0, 'nothing waits for an answer')
})

t.test('the measured time begins at start and ends at stop', async (t) => {
  const { measurements, clock, run } = measured()
  run({ action: 'sign up', answered: 50 })
  clock.now = 1_000
  measurements.start()
  run({ action: 'sign up', intended: 900, sent: 900, answered: 1_100 })
  run({ intended: 1_500, sent: 1_500, answered: 1_600 })
  clock.now = 3_000
  measurements.stop()
  run({ action: 'read post', intended: 3_500, sent: 3_500, answered: 3_600 })
  const { actions, seconds, series } = measurements.figures()
  t.strictSame(
    actions.map(({ action, count }) => [action, count]),
    [['like', 1]],
  )
  t.equal(seconds, 2)
  t.equal(series.length, 2)
})

t.test('five seconds of an action are one window for the comparison of runs', async (t) => {
  const { measurements, clock, run } = measured()
  for (const at of [1_000, 2_000, 12_000]) run({ intended: at, sent: at, answered: at + 3 })
  clock.now = 15_000
  const [like] = measurements.figures().actions
  t.match(like?.windows, [{ count: 2 }, { count: 0, p50: null }, { count: 1 }])
  t.equal(like?.windows.length, 3)
})

t.test(
  'late arrivals, a delayed event loop, waiting for a core and a busy core make the figures invalid, each with its reason',
  async (t) => {
    const late = measured()
    for (let i = 0; i < 100; i += 1) late.measurements.arrived(i, i + (i < 1 ? 11 : 10))
    t.strictSame(late.measurements.figures().invalid, [], '1% may be late')
    late.measurements.arrived(100, 111)
    t.match(late.measurements.figures().invalid, [/^2\.0% of the arrivals/])

    const delayed = measured({ loopDelayP99: 2.1 })
    for (let i = 0; i < 100; i += 1) delayed.run({ answered: 10 })
    t.match(delayed.measurements.figures().invalid, [/event loop was delayed by 2\.1 ms/])

    const invalidAfterWaiting = (waiting: number | null, requests = 100) => {
      const { clock, measurements, run } = measured({ waiting })
      for (let i = 0; i < requests; i += 1) run({ answered: 10 })
      clock.now = 1_000
      measurements.tick()
      return measurements.figures().invalid
    }
    t.match(invalidAfterWaiting(0.21), [/^The bot waited 2\.10 ms a request for a core, over 20% of the reported p50/])
    t.strictSame(invalidAfterWaiting(0.19), [])
    t.strictSame(invalidAfterWaiting(0.019, 1), [], 'less than 2% of the time, as on an idle machine')
    t.match(invalidAfterWaiting(0.021, 1), [/^The bot waited 21\.00 ms a request/])
    t.strictSame(invalidAfterWaiting(null), [], 'a system that does not say')

    const busy = measured({ cpu: 0.81 })
    busy.run({ answered: 2_900 })
    t.strictSame(busy.measurements.figures().invalid, [], 'two seconds are no fault')
    busy.clock.now = 3_000
    busy.measurements.tick()
    t.match(busy.measurements.figures().invalid, [/over 80% of a core for 3 s from second 0/])
  },
)

t.test('a delay of the ramp, before the measured time, makes no figures invalid', async (t) => {
  const { measurements, run } = measured({ loopDelayP99: 50 })
  measurements.start(0)
  for (let i = 0; i < 100; i += 1) run({ answered: 10 })
  t.strictSame(measurements.figures().invalid, [])
})

t.test('a ramp that ends after the run changes no figures', async (t) => {
  const { measurements, clock, run } = measured()
  run({ answered: 5 })
  clock.now = 10
  measurements.stop()
  clock.now = 20
  measurements.start()
  t.match(measurements.figures(), { seconds: 0.01, total: { count: 1 } })
})
