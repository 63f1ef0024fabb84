import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers/promises'

type Timer = { at: number; wake: () => void }

/**
 * Runs work whose time is simulated: `performance.now()` and the timers of `node:timers/promises` follow a clock that jumps
 * to the next timer as soon as no promise can continue. `Math.random()` follows the seed, so that every run is the same.
 * The work must wait for nothing but such timers.
 */
export async function inVirtualTime<Result>(seed: number, work: () => Promise<Result>): Promise<Result> {
  const pending = timerQueue()
  const { setTimeout, setImmediate } = timers
  const { random } = Math
  let now = 0
  const wait = (delayMs = 0) => new Promise<void>((wake) => pending.add({ at: now + Math.max(0, delayMs), wake }))
  Object.defineProperty(performance, 'now', { value: () => now, configurable: true })
  // The work awaits its timers, and passes neither a value nor a signal.
  timers.setTimeout = wait as typeof setTimeout
  timers.setImmediate = (() => wait()) as typeof setImmediate
  Math.random = seededRandom(seed)
  syncBuiltinESMExports()
  try {
    let done = false
    const working = work().finally(() => {
      done = true
    })
    working.catch(() => undefined)
    for (; ; await new Promise((resolve) => globalThis.setImmediate(resolve))) {
      if (done) return await working
      const timer = pending.takeFirst()
      if (!timer) continue
      now = timer.at
      timer.wake()
    }
  } finally {
    Reflect.deleteProperty(performance, 'now')
    Object.assign(timers, { setTimeout, setImmediate })
    Math.random = random
    syncBuiltinESMExports()
  }
}

/** Mulberry32 (Ettinger, 2017). */
function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Few timers are pending at any time, so a sorted array is quick enough. Equal times keep their order. */
function timerQueue() {
  const timers: Timer[] = []
  return {
    add(timer: Timer): void {
      const after = timers.findLastIndex(({ at }) => at <= timer.at)
      timers.splice(after + 1, 0, timer)
    },
    takeFirst: (): Timer | undefined => timers.shift(),
  }
}
