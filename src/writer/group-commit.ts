import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { ClientSession } from 'mongodb'
import {
  ConflictError,
  isAccessRefused,
  isDatabaseOutOfReach,
  isDuplicateKey,
  OutcomeUnknownError,
  OverloadedError,
  TransactionTimeoutError,
} from '../database/failures.ts'
import { delayRetry, type Transact, transactionTimeoutMs } from '../database/transaction.ts'
import { DeferredKeys } from './deferred-keys.ts'

/** Writes items in one transaction, perhaps more than once; results are in their order. If it throws, nothing is written. */
export type ApplyBatch<Item, Result> = (items: readonly Item[], session: ClientSession) => Promise<Result[]>

export type GroupCommit<Item, Result> = {
  /**
   * Resolves when the item is committed.
   * @param deadline - by `performance.now()`: no commit begins after it
   * @throws OutcomeUnknownError (whether it was written is unknown), TransactionTimeoutError, OverloadedError (it was not)
   */
  submit(item: Item, deadline?: number): Promise<Result>
}

type Queued<Item, Result> = {
  item: Item
  key: string
  bytes: number
  deadline: number
  /** A commit of the item got no answer. */
  isUnanswered: boolean
  resolve(result: Result): void
  reject(error: unknown): void
}

// Bound how long a transaction blocks conflicting writes, and how much of MongoDB's cache it fills.
const maxBatchItems = 500
const maxBatchBytes = 1_000_000
/** About one second of writes: a command queued behind more would miss its deadline. */
export const maxQueued = 20_000
const minRemainingMs = 250
/** How many conflicts a batch retries before it is split by key, and a part of it before its key is deferred. */
const conflictsBeforeSplit = 8
const conflictsBeforeDefer = 1
const triesBetweenBatches = { keys: 5, items: maxBatchItems }
const idlePauseMs = 10

/**
 * Commands that arrive during a commit share the next one, without a timer (DeWitt et al., "Implementation Techniques
 * for Main Memory Database Systems", 1984, 3).
 *
 * A batch that keeps conflicting is split by key: a machine that crashed can keep a document locked for a minute, and only
 * writes to that document wait for it. A batch that fails for good is halved until the failing item stands alone.
 */
export function groupCommit<Item, Result>(options: {
  transact: Transact
  apply: ApplyBatch<Item, Result>
  sizeOf: (item: Item) => number
  keyOf: (item: Item) => string
  markRetry: (item: Item) => Item
}): GroupCommit<Item, Result> {
  const { transact, apply, sizeOf, keyOf, markRetry } = options
  type Batch = Queued<Item, Result>[]
  let queue: Batch = []
  const deferred = new DeferredKeys<Queued<Item, Result>>()
  let running = false

  function dequeue(): Batch {
    let count = 0
    for (let total = 0; count < Math.min(queue.length, maxBatchItems); count += 1) {
      total += queue[count]?.bytes ?? 0
      if (total > maxBatchBytes && count > 0) break
    }
    const batch = queue.slice(0, count)
    queue = queue.slice(count)
    return batch
  }

  async function commit(batch: Batch, maxConflicts: number, isSecondTry = false): Promise<void> {
    const [first] = batch
    if (!first) return
    try {
      const items = batch.map(({ item }) => item)
      const deadline = Math.min(...batch.map(({ deadline }) => deadline))
      const results = await transact((session) => apply(items, session), deadline, maxConflicts)
      for (const [n, { resolve }] of batch.entries()) {
        // apply() returns a result for each item, in their order.
        resolve(results[n] as Result)
      }
    } catch (error) {
      if (error instanceof ConflictError) return splitByKey(batch)
      if (isAccessRefused(error)) return rejectAll(batch, error)
      if (isDatabaseOutOfReach(error)) return requeue(batch, error)
      // The next snapshot sees what another process inserted concurrently.
      if (isDuplicateKey(error) && !isSecondTry) return commit(batch, maxConflicts, true)
      if (batch.length === 1) return first.reject(error)
      const middle = batch.length >> 1
      await commit(batch.slice(0, middle), maxConflicts)
      await commit(batch.slice(middle), maxConflicts)
    }
  }

  function rejectAll(batch: Batch, error: unknown): void {
    for (const { reject } of batch) reject(error)
  }

  async function splitByKey(batch: Batch): Promise<void> {
    const groups = [...Map.groupBy(batch, ({ key }) => key)]
    const [[key, items] = ['', []], ...others] = groups
    if (others.length === 0) return deferred.defer(key, items)
    const middle = groups.length >> 1
    for (const half of [groups.slice(0, middle), groups.slice(middle)]) {
      await commit(
        half.flatMap(([, items]) => items),
        conflictsBeforeDefer,
      )
    }
  }

  async function requeue(batch: Batch, cause: unknown): Promise<void> {
    await delayRetry()
    const isUnanswered = cause instanceof OutcomeUnknownError
    const retries = batch.map((queued) => ({
      ...queued,
      item: markRetry(queued.item),
      isUnanswered: queued.isUnanswered || isUnanswered,
    }))
    queue = [...retries, ...queue]
    rejectLate(cause)
  }

  function rejectLate(cause?: unknown): void {
    const now = performance.now()
    const isInTime = (queued: Queued<Item, Result>) => {
      if (queued.deadline - now > minRemainingMs) return true
      const TimeoutError = queued.isUnanswered ? OutcomeUnknownError : TransactionTimeoutError
      queued.reject(new TimeoutError('no batch was free in time', { cause }))
      return false
    }
    queue = queue.filter(isInTime)
    deferred.filter(isInTime)
  }

  async function run(): Promise<void> {
    // The first batch takes everything that arrives in this turn of the event loop.
    await nextTurn()
    while (queue.length > 0 || deferred.size > 0) {
      rejectLate()
      const released = await deferred.tryDue(triesBetweenBatches, (items) => commit(items, conflictsBeforeDefer))
      queue = [...released, ...queue]
      if (queue.length > 0) await commit(dequeue(), conflictsBeforeSplit)
      else if (deferred.size > 0) await sleep(idlePauseMs)
    }
    running = false
  }

  return {
    submit(item, deadline = performance.now() + transactionTimeoutMs) {
      if (queue.length + deferred.size >= maxQueued) {
        return Promise.reject(new OverloadedError('too many writes are waiting'))
      }
      const { promise, resolve, reject } = Promise.withResolvers<Result>()
      const key = keyOf(item)
      const queued = { item, key, bytes: sizeOf(item), deadline, isUnanswered: false, resolve, reject }
      if (deferred.has(key)) deferred.join(key, queued)
      else queue.push(queued)
      if (!running) {
        running = true
        void run()
      }
      return promise
    },
  }
}
