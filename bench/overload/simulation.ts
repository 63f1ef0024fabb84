import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientSession } from 'mongodb'
import { ConflictError, OutcomeUnknownError, TransactionTimeoutError } from '../../src/database/failures.ts'
import { type Transact, transactionTimeoutMs } from '../../src/database/transaction.ts'
import { commitReplyMs } from '../../src/database/transaction-deadline.ts'
import { groupCommit } from '../../src/writer/group-commit.ts'
import { inVirtualTime } from './virtual-time.ts'

export type Simulation = {
  seconds: number
  /** How many items arrive per second, whatever happens to those before them (an open model). */
  arrivalsPerSecond: (second: number) => number
  /** How long a transaction of so many items takes; infinite while the database does not answer. */
  batchMs: (items: number, second: number) => number
  /** Whether another transaction keeps the item's key locked; each item has one of a thousand keys. */
  isLocked?: (key: number, second: number) => boolean
  onLocked?: () => void
  seed?: number
}

type Item = { key: number }

export type Answer = {
  key: number
  arrivedMs: number
  answeredMs: number
  /** The error's name, if the item was rejected. */
  error: string | undefined
}

/** The share of a transaction before its commit begins. */
const workShare = 0.8
/** The share before a write meets a locked document. */
const conflictShare = 0.3

/** The real group commit over a simulated database. */
export const simulate = (simulation: Simulation): Promise<Answer[]> =>
  inVirtualTime(simulation.seed ?? 15, async () => {
    const { seconds, arrivalsPerSecond, onLocked = () => undefined } = simulation
    const { submit } = groupCommit<Item, Item>({
      transact: simulatedTransactor(simulation),
      // The simulated transactor learns from it which items the batch has.
      apply: async (items) => [...items],
      sizeOf: () => 200,
      keyOf: ({ key }) => String(key),
      markRetry: (item) => item,
      onLocked,
    })
    const answers: Promise<Answer>[] = []
    for (;;) {
      // Poisson arrivals: the intervals are exponentially distributed.
      await sleep((-1_000 * Math.log(1 - Math.random())) / arrivalsPerSecond(second()))
      if (second() > seconds) return Promise.all(answers)
      const key = Math.floor(Math.random() * 1_000)
      const arrivedMs = performance.now()
      const answered = (error?: Error) => ({ key, arrivedMs, answeredMs: performance.now(), error: error?.name })
      answers.push(
        submit({ key }).then(
          () => answered(),
          (error) => answered(error),
        ),
      )
    }
  })

const second = () => performance.now() / 1_000

/** Like the real one: no commit begins after the deadline, and the reply to one that has begun is awaited for 400 ms. */
function simulatedTransactor({ batchMs, isLocked = () => false }: Simulation): Transact {
  return async (work, deadline = performance.now() + transactionTimeoutMs, maxConflicts = Number.POSITIVE_INFINITY) => {
    // The simulated operations do not use their session, and their results are the items.
    const results = await work({} as ClientSession)
    const items = results as Item[]
    for (let conflicts = 0; ; conflicts += 1) {
      const tookMs = batchMs(items.length, second())
      const isConflict = items.some(({ key }) => isLocked(key, second()))
      const workMs = tookMs * (isConflict ? conflictShare : workShare)
      const remainingMs = Math.max(0, deadline - performance.now())
      await sleep(Math.min(workMs, remainingMs))
      if (workMs > remainingMs) throw new TransactionTimeoutError('no commit in time')
      if (isConflict && conflicts >= maxConflicts) throw new ConflictError('too many write conflicts')
      if (isConflict) continue
      const commitMs = tookMs * (1 - workShare)
      const limitMs = deadline + commitReplyMs - performance.now()
      await sleep(Math.min(commitMs, limitMs))
      if (commitMs > limitMs) throw new OutcomeUnknownError('no reply in time')
      return results
    }
  }
}

/** Items acknowledged per second, within their deadline, between two seconds. */
export function goodput(answers: readonly Answer[], fromSecond: number, toSecond: number): number {
  const inTime = answers.filter(
    ({ error, arrivedMs, answeredMs }) =>
      error === undefined &&
      answeredMs - arrivedMs <= transactionTimeoutMs + commitReplyMs &&
      answeredMs >= fromSecond * 1_000 &&
      answeredMs < toSecond * 1_000,
  )
  return inTime.length / (toSecond - fromSecond)
}

/** The 99th percentile of how long acknowledged items waited, in milliseconds. */
export function waitMsP99(answers: readonly Answer[]): number {
  const waits = answers
    .filter(({ error }) => error === undefined)
    .map(({ arrivedMs, answeredMs }) => answeredMs - arrivedMs)
    .toSorted((one, other) => one - other)
  return waits[Math.floor(waits.length * 0.99)] ?? 0
}
