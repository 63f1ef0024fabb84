import t from 'tap'
import { Measurements } from '../../../bot/load/measurements.ts'
import { startPulse } from '../../../bot/report/pulse.ts'
import type { RunView } from '../../../bot/report/view.ts'
import { eventually } from '../../eventually.ts'

t.test('30 s without an answer end the run, once; before, the display tells the silence', async (t) => {
  const ownLoad = {
    sample: () => ({ cpu: 0, loopDelayMs: 0, waiting: null, steal: null }),
    ...{ loopDelayP99: () => 0, reset: () => {}, stop: () => {} },
  }
  let now = 0
  const measurements = new Measurements(() => now, ownLoad)
  const shown: RunView[] = []
  const display = { show: (view: RunView) => void shown.push(view), print: () => {} }
  let silences = 0
  const status = { robots: 3, phase: null, checked: 5 }
  const end = startPulse(
    measurements,
    status,
    display,
    { maxSilenceMs: 30_000, onSilence: () => (silences += 1) },
    () => now,
    5,
  )
  t.teardown(end)
  const shows = (silentMs: number) => eventually(() => shown.at(-1)?.silentMs === silentMs)

  measurements.begin({ action: 'like', intended: 0, sent: 0, attempt: 1 })
  now = 4_000
  await shows(4_000)
  t.match(shown.at(-1), { robots: 3, checked: 5, elapsedMs: 4_000, rates: [0, 0, 0, 0], p50: null })
  now = 30_000
  await shows(30_000)
  t.equal(silences, 0)
  now = 30_001
  await shows(30_001)
  const beats = shown.length
  await eventually(() => shown.length > beats + 2)
  t.equal(silences, 1)
})
