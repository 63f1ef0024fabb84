import { Measurements } from '../../../bot/load/measurements.ts'
import { parseExpectation } from '../../../bot/options/expectation.ts'
import { buildReport, type Ended } from '../../../bot/report/build.ts'
import type { Report } from '../../../bot/report/schema.ts'

type Sample = { seconds?: number; perSecond?: number; latencyMs?: (second: number) => number; actions?: string[] }

/** Figures of a run on a clock of its own. */
export function sampleFigures({ seconds = 60, perSecond = 20, latencyMs = () => 5, actions = ['like'] }: Sample = {}) {
  let now = 0
  const own = { cpu: 0.2, loopDelayMs: 0.4, waiting: 0.01, steal: 0.01 }
  const measurements = new Measurements(() => now, {
    sample: () => own,
    loopDelayP99: () => 0.3,
    reset: () => {},
    stop: () => {},
  })
  for (let second = 0; second < seconds; second += 1)
    for (let i = 0; i < perSecond; i += 1) {
      const intended = second * 1000 + (i * 1000) / perSecond
      const answered = intended + latencyMs(second) * (1 + (i % 10) / 10)
      const action = actions[i % actions.length] ?? ''
      const operation = { action, intended, sent: intended + 0.5, attempt: 1, answered, status: 200, cause: '200' }
      measurements.begin(operation)
      now = Math.max(now, answered)
      measurements.end(operation)
    }
  now = seconds * 1000
  measurements.stop()
  return measurements.figures()
}

/** A report whose data agrees and whose figures are valid, with what a test changes. */
export function sampleReport(changed: Partial<Ended> = {}, expect: string[] = []): Report {
  const expectations = expect.flatMap((text) => {
    const parsed = parseExpectation(text)
    return 'fault' in parsed ? [] : [parsed]
  })
  return buildReport({
    run: {
      ...{ startedAt: '2026-11-29T08:00:00.000Z', endedAt: '2026-11-29T08:01:00.000Z' },
      ...{ model: 'closed', interrupted: null },
    },
    ...{
      url: 'http://127.0.0.1:5000/',
      seed: 7,
      options: { robots: 10 },
      serverVersion: '0.1.0',
      unexpected: [],
      limits: [],
      isMeasurement: true,
    },
    check: {
      ...{ verdict: 'agrees', summary: 'ledger agrees: all is there', notes: [], acknowledged: { posts: 50 } },
      ...{ checked: 99, foreign: 0, indeterminate: { pinned: 0, open: 0 }, findings: [] },
    },
    ...{ figures: sampleFigures(), expectations },
    ...changed,
  })
}
