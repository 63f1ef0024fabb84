import type { Test } from 'tap'
import { clocks } from '../sessions/clocks.ts'

export const quarterHour = 900_000

/** Sets the clock to the start of a 15-minute window, so that a test ends before its fixed windows do. */
export function atQuarterHour(t: Test) {
  const clock = clocks(t)
  clock.forward(quarterHour - (Date.now() % quarterHour))
  return clock
}
