import type { Test } from 'tap'

/** Lets a test advance both clocks. Without `t.intercept`, which captures a stack trace at every call. */
export function clocks(t: Test) {
  const { now } = Date
  const monotonic = performance.now.bind(performance)
  let offsetMs = 0
  Date.now = () => now() + offsetMs
  performance.now = () => monotonic() + offsetMs
  t.teardown(() => {
    Date.now = now
    performance.now = monotonic
  })
  return {
    forward(ms: number): void {
      offsetMs += ms
    },
  }
}
