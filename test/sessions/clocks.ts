import type { Test } from 'tap'

/** Both clocks, until the test ends, can be moved on. Not by `t.intercept`, which takes a stack at every call. */
export function clocks(t: Test) {
  const { now } = Date
  const monotonic = performance.now.bind(performance)
  let ahead = 0
  Date.now = () => now() + ahead
  performance.now = () => monotonic() + ahead
  t.teardown(() => {
    Date.now = now
    performance.now = monotonic
  })
  return {
    forward(ms: number): void {
      ahead += ms
    },
  }
}
