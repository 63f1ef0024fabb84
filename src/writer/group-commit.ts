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
import { batchSize, maxBatchItems } from './batch-size.ts'
import { DeferredKeys } from './deferred-keys.ts'
import { lockReporter } from './lock-report.ts'
import { type BatchLimits, sheddingQueue, type Waiting } from './queue.ts'
import { regroup } from './regroup.ts'
import { suspectParts } from './suspects.ts'

/** Writes items in one transaction, perhaps more than once; results are in their order. If it throws, nothing is written. */
export type ApplyBatch<Item, Result> = (items: readonly Item[], session: ClientSession) => Promise<Result[]>

export type GroupCommit<Item, Result> = {
  /**
   * Resolves when the item is committed. No commit begins after `deadline` (by `performance.now()`).
   * @throws TransactionTimeoutError or OverloadedError (it was not written), OutcomeUnknownError (it may have been)
   */
  submit(item: Item, deadline?: number): Promise<Result>
}

type Queued<Item, Result> = Waiting & {
  item: Item
  key: string
  /** Why it is unknown whether an earlier try wrote the item. */
  unanswered?: OutcomeUnknownError
  resolve(result: Result): void
  reject(error: unknown): void
}

const maxBatchBytes = 1_000_000
/** About one second of writes: a command queued behind more would miss its deadline. */
export const maxQueued = 20_000
/** What an item must have left when its batch begins: twice what a batch takes, within these bounds. */
const minRemainingMs = { min: 250, max: 2_000 }
/** How long a batch may conflict, and how often at most, before it is split by key. */
const beforeSplit = { ms: 400, conflicts: 8 }
/** How often a part may conflict before its key is deferred. A busy machine leaves short gaps only: `idle` finds one. */
const conflictsBeforeDefer = { busy: 1, idle: 8 }
const triesBetweenBatches = { ms: 50, items: maxBatchItems }
const idlePauseMs = 10

/**
 * Commands that arrive during a commit share the next one, without a timer (DeWitt et al., "Implementation Techniques
 * for Main Memory Database Systems", 1984, 3). A batch that keeps conflicting is split by key, so that only writes to a
 * locked document wait for it; one that fails for good is halved until the failing item stands alone.
 */
export function groupCommit<Item, Result>(options: {
  transact: Transact
  apply: ApplyBatch<Item, Result>
  sizeOf: (item: Item) => number
  keyOf: (item: Item) => string
  markRetry: (item: Item) => Item
  onLocked?: () => void
}): GroupCommit<Item, Result> {
  const { transact, apply, sizeOf, keyOf, markRetry, onLocked = () => undefined } = options
  type Batch = Queued<Item, Result>[]
  const queue = sheddingQueue<Queued<Item, Result>>()
  const size = batchSize()
  const deferred = new DeferredKeys<Queued<Item, Result>>()
  const suspects = suspectParts<Queued<Item, Result>>()
  const clients = regroup()
  const reportLocks = lockReporter(onLocked)
  let limits: BatchLimits = { items: maxBatchItems, bytes: maxBatchBytes, expectedMs: 0 }
  let running = false

  async function commit(batch: Batch, maxConflicts: number, isSecondTry = false): Promise<void> {
    const [first] = batch
    if (!first) return
    const start = performance.now()
    const deadline = Math.min(start + size.patienceMs(), ...batch.map(({ deadline }) => deadline))
    try {
      const items = batch.map(({ item }) => item)
      const results = await transact((session) => apply(items, session), deadline, maxConflicts)
      size.completed(batch.length, performance.now() - start)
      for (const [n, { resolve }] of batch.entries()) {
        // apply() returns a result for each item, in their order.
        resolve(results[n] as Result)
      }
      clients.answered(batch.length, queue.length)
    } catch (error) {
      if (error instanceof ConflictError) return splitByKey(batch)
      if (isAccessRefused(error)) return rejectAll(batch, error)
      if (isDatabaseOutOfReach(error)) return requeue(batch, error, start, deadline)
      // The next snapshot sees what another process inserted concurrently.
      if (isDuplicateKey(error) && !isSecondTry) return commit(batch, maxConflicts, true)
      if (batch.length === 1) return rejectAll(batch, error)
      const middle = batch.length >> 1
      await commit(batch.slice(0, middle), maxConflicts)
      await commit(batch.slice(middle), maxConflicts)
    }
  }

  /** An earlier try without an answer may have written an item, whatever happened to the later ones. */
  function rejectAll(batch: Batch, error: unknown): void {
    for (const { reject, unanswered } of batch) reject(unanswered ?? error)
  }

  function splitByKey(batch: Batch): void {
    const groups = [...Map.groupBy(batch, ({ key }) => key)]
    const [[key, items] = ['', []], ...others] = groups
    if (others.length === 0) {
      defer(key, items)
      return
    }
    size.conflicted(batch.length)
    suspects.addHalves(groups.map(([, items]) => items))
  }

  function defer(key: string, items: Batch): void {
    deferred.defer(key, items)
    for (const later of takeIf((queued) => queued.key === key)) deferred.join(key, later)
  }

  const takeIf = (matches: (queued: Queued<Item, Result>) => boolean): Batch => [
    ...suspects.takeIf(matches),
    ...queue.takeIf(matches),
  ]

  /** @param deadline - the batch's; once it has passed, the items that have time left are tried again at once. */
  async function requeue(batch: Batch, cause: unknown, start: number, deadline: number): Promise<void> {
    const now = performance.now()
    if (now >= deadline) size.ranOutOfTime(batch.length, now - start)
    else await delayRetry()
    const unanswered = cause instanceof OutcomeUnknownError && { unanswered: cause }
    queue.putBack(batch.map((queued) => ({ ...queued, item: markRetry(queued.item), ...unanswered })))
    queue.calm(performance.now())
    rejectLate(cause)
  }

  function rejectLate(cause?: unknown): void {
    const neededMs = Math.min(Math.max(2 * size.expectedMs(), minRemainingMs.min), minRemainingMs.max)
    const latest = performance.now() + neededMs
    const isLate = (queued: Queued<Item, Result>) => queued.deadline <= latest
    const late = [...takeIf(isLate), ...deferred.takeIf(isLate)]
    if (late.length === 0) return
    const isOverloaded = queue.isOverloaded()
    rejectAll(late, isOverloaded ? overloaded() : new TransactionTimeoutError('no batch was free in time', { cause }))
  }

  function nextBatch(): Batch {
    const now = performance.now()
    limits = { items: size.limit(), bytes: maxBatchBytes, expectedMs: size.expectedMs() }
    rejectAll(queue.shed(limits), overloaded())
    return suspects.joinFrom(queue.take(now, limits))
  }

  async function trySuspects(): Promise<void> {
    const end = performance.now() + triesBetweenBatches.ms
    while (suspects.length > 0 && performance.now() < end) await commit(suspects.takeLast(), conflictsBeforeDefer.busy)
  }

  async function run(): Promise<void> {
    // The first batch takes everything that arrives in this turn of the event loop.
    await nextTurn()
    while (queue.length > 0 || deferred.size > 0 || suspects.length > 0) {
      rejectLate()
      reportLocks(suspects.length > 0 || deferred.size > 0)
      const isIdle = queue.length === 0 && suspects.length === 0
      const conflicts = isIdle ? conflictsBeforeDefer.idle : conflictsBeforeDefer.busy
      queue.putBack(await deferred.tryDue({ ...triesBetweenBatches, isIdle }, (items) => commit(items, conflicts)))
      await trySuspects()
      if (queue.length > 0) await commitNext()
      else if (suspects.length === 0 && deferred.size > 0) await sleep(idlePauseMs)
    }
    running = false
  }

  async function commitNext(): Promise<void> {
    await clients.wait(queue.length)
    const batch = nextBatch()
    await commit(batch, conflictsBeforeSplit(batch))
  }

  function conflictsBeforeSplit(batch: Batch): number {
    if (suspects.length > 0 || deferred.size > 0) return conflictsBeforeDefer.busy
    // Splitting gains nothing: no other key waits.
    if (queue.length === 0 && batch.every(({ key }) => key === batch[0]?.key)) return beforeSplit.conflicts
    return Math.min(Math.max(Math.floor(beforeSplit.ms / size.expectedMs()), 1), beforeSplit.conflicts)
  }

  return {
    submit(item, deadline = performance.now() + transactionTimeoutMs) {
      if (queue.length + deferred.size >= maxQueued) return Promise.reject(overloaded())
      const { promise, resolve, reject } = Promise.withResolvers<Result>()
      const key = keyOf(item)
      const queued = { item, key, bytes: sizeOf(item), deadline, resolve, reject }
      if (deferred.has(key)) deferred.join(key, queued)
      else if (!queue.push(queued, limits)) return Promise.reject(overloaded())
      clients.arrived(queue.length)
      if (!running) {
        running = true
        void run()
      }
      return promise
    },
  }
}

const overloaded = () => new OverloadedError('too many writes are waiting')
