import type { Call } from '../call.ts'
import { randomStream } from '../random.ts'

/**
 * What the bot does wrong with --faults: it cuts the connection before it has sent all of a request, or right after it,
 * reads an answer slowly, sends a change twice at once, or reads with the access cookie that it had before.
 */
export const misdeeds = ['cut before', 'cut after', 'slow reader', 'doubled', 'stale cookie'] as const

export type Misdeed = (typeof misdeeds)[number]

/** `fraction`, from 0 to 1, varies how long it lasts. */
export type Planned = { misdeed: Misdeed; fraction: number }

const onlyOfReads: ReadonlySet<Misdeed> = new Set(['slow reader', 'stale cookie'])

/** Decides which calls misbehave: the nth of an action of a robot does with the same seed, whatever the others do. */
export class Misbehaviour {
  #seed: number
  #oneIn: number
  #calls = new Map<string, number>()

  /** Each misdeed happens to about one in `oneIn` calls to which it can. */
  constructor(seed: number, oneIn = 40) {
    this.#seed = seed
    this.#oneIn = oneIn
  }

  next(
    robot: number,
    { action, method, writes = [] }: Pick<Call, 'action' | 'method' | 'writes'>,
  ): Planned | undefined {
    const key = `${robot}:${action}`
    const nth = this.#calls.get(key) ?? 0
    this.#calls.set(key, nth + 1)
    const random = randomStream('faults', this.#seed, robot, action, nth)
    const misdeed = misdeeds[Math.floor(random() * this.#oneIn)]
    if (misdeed === undefined) return undefined
    const isPossible = onlyOfReads.has(misdeed) ? method === 'GET' : misdeed !== 'doubled' || writes.length > 0
    return isPossible ? { misdeed, fraction: random() } : undefined
  }
}
