import type { Test } from 'tap'
import { clocks } from '../sessions/clocks.ts'

export const quarterHour = 900_000

/** Sets the clock to the beginning of a quarter of an hour, so that a test is over before what it counts begins anew. */
export function atQuarterHour(t: Test) {
  const clock = clocks(t)
  clock.forward(quarterHour - (Date.now() % quarterHour))
  return clock
}
