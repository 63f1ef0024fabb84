import { openSync, readSync } from 'node:fs'

// Preloaded into the server's processes: Date is ahead of the machine's clock by the milliseconds in the file, while
// performance.now() and timers go on, as when a clock is stepped. Read at each use: all processes step at once.
const file = openSync(process.env.CHAOS_CLOCK_FILE ?? '', 'r')
const step = new Float64Array(1)
const machineNow = Date.now

function now(): number {
  readSync(file, step, 0, 8, 0)
  return machineNow() + (step[0] ?? 0)
}

Date.now = now
globalThis.Date = new Proxy(Date, {
  construct: (target, args: unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  apply: (target) => new target(now()).toString(),
})
