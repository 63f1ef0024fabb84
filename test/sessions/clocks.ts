import type { Test } from 'tap'

/** Both clocks, until the test ends, can be moved on. */
export function clocks(t: Test) {
  const { now } = Date
  const monotonic = performance.now.bind(performance)
  let ahead = 0
  t.intercept(Date, 'now', { value: () => now() + ahead })
  t.intercept(performance, 'now', { value: () => monotonic() + ahead })
  return {
    forward(ms: number): void {
      ahead += ms
    },
  }
}
