import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { ClientSession } from 'mongodb'
import {
  ConflictError,
  isDatabaseOutOfReach,
  isDuplicateKey,
  OverloadedError,
  TransactionTimeoutError,
} from '../database/failures.ts'
import { beforeRetry, type Transact, transactionPatience } from '../database/transaction.ts'
import { HeldBack } from './deferred-keys.ts'

/**
 * Writes items in one transaction, and answers each, in their order. It may run more than once for the same items, and
 * throws when none of them may be written.
 */
export type WriteBatch<Item, Answer> = (items: readonly Item[], session: ClientSession) => Promise<Answer[]>

export type GroupCommit<Item, Answer> = {
  /**
   * Resolves when the item is committed.
   * @param deadline - by `performance.now()`: no commit begins after it; 4.5 seconds from now unless given.
   * @throws TransactionTimeoutError when there is no commit in time: what became of the item is then unknown.
   * @throws OverloadedError at once; what the batch throws for this item alone.
   */
  submit(item: Item, deadline?: number): Promise<Answer>
}

type Waiting<Item, Answer> = {
  item: Item
  key: string
  /** in bytes, roughly */
  size: number
  deadline: number
  resolve(answer: Answer): void
  reject(error: unknown): void
}

/** A transaction holds back whoever meets it, and MongoDB's cache: these bound how long. */
const mostItems = 500
const mostBytes = 1_000_000
/** Behind this many a new one would be served too late; about what is written in a second. */
export const mostWaiting = 20_000
/** Items with less time left than this are refused instead of begun, in milliseconds. */
const leastTime = 250
/** How often a batch is run again because of conflicts before it is taken apart; a part of it, before it is held back. */
const conflictsOfBatch = 8
const conflictsOfPart = 1
/** What is tried between two batches of those who are held back, each key in a transaction of its own. */
const triesBetween = { keys: 5, each: mostItems }
/** How long to wait when nothing else is to be written, in milliseconds. */
const idle = 10

/**
 * Group commit: what arrives while a transaction commits goes together in the next one, so that the more is written,
 * the less each write costs, and nobody waits for a timer (DeWitt et al., "Implementation Techniques for Main Memory
 * Database Systems", 1984, 3).
 *
 * A batch that conflicts with somebody else's is run again by `transact`, whole. One that goes on conflicting is taken
 * apart: a document may stay locked for a minute, by a machine that died or hangs, and only those who want to write
 * that one may wait for it. A batch that fails for good is halved until the item that spoils it stands alone; the others
 * are written.
 *
 * @param sizeOf - what an item adds to a transaction, in bytes, roughly.
 * @param keyOf - names what an item writes that others write as well.
 * @param perhapsWritten - marks an item whose commit had no answer, before it is given again.
 */
export function groupCommit<Item, Answer>(options: {
  transact: Transact
  write: WriteBatch<Item, Answer>
  sizeOf: (item: Item) => number
  keyOf: (item: Item) => string
  perhapsWritten: (item: Item) => Item
}): GroupCommit<Item, Answer> {
  const { transact, write, sizeOf, keyOf, perhapsWritten } = options
  type Batch = Waiting<Item, Answer>[]
  let queue: Batch = []
  const held = new HeldBack<Waiting<Item, Answer>>()
  let running = false

  /** The next batch, in order of arrival. */
  function take(): Batch {
    let count = 0
    for (let bytes = 0; count < Math.min(queue.length, mostItems); count += 1) {
      bytes += queue[count]?.size ?? 0
      if (bytes > mostBytes && count > 0) break
    }
    const batch = queue.slice(0, count)
    queue = queue.slice(count)
    return batch
  }

  async function commit(batch: Batch, conflicts: number, secondTry = false): Promise<void> {
    const [first] = batch
    if (!first) return
    try {
      const items = batch.map(({ item }) => item)
      const deadline = Math.min(...batch.map(({ deadline }) => deadline))
      const answers = await transact((session) => write(items, session), deadline, conflicts)
      for (const [n, { resolve }] of batch.entries()) {
        // write() answers each item, in their order.
        resolve(answers[n] as Answer)
      }
    } catch (error) {
      if (error instanceof ConflictError) return takeApart(batch)
      if (isDatabaseOutOfReach(error)) return requeue(batch, error)
      // What a twin in another process inserted meanwhile is seen by the next snapshot.
      if (isDuplicateKey(error) && !secondTry) return commit(batch, conflicts, true)
      if (batch.length === 1) return first.reject(error)
      const middle = batch.length >> 1
      await commit(batch.slice(0, middle), conflicts)
      await commit(batch.slice(middle), conflicts)
    }
  }

  /** Halves a batch that conflicts until those stand alone who want what is locked. */
  async function takeApart(batch: Batch): Promise<void> {
    const groups = [...Map.groupBy(batch, ({ key }) => key)]
    const [[key, some] = ['', []], ...others] = groups
    if (others.length === 0) return held.hold(key, some)
    const middle = groups.length >> 1
    for (const half of [groups.slice(0, middle), groups.slice(middle)]) {
      await commit(
        half.flatMap(([, some]) => some),
        conflictsOfPart,
      )
    }
  }

  /** Who still has time goes to the front again, in the old order. */
  async function requeue(batch: Batch, cause: unknown): Promise<void> {
    await beforeRetry()
    queue = [...batch.map((one) => ({ ...one, item: perhapsWritten(one.item) })), ...queue]
    dropLate(cause)
  }

  function dropLate(cause?: unknown): void {
    const now = performance.now()
    const isInTime = (one: Waiting<Item, Answer>) => {
      if (one.deadline - now > leastTime) return true
      one.reject(new TransactionTimeoutError('its turn did not come in time', { cause }))
      return false
    }
    queue = queue.filter(isInTime)
    held.keep(isInTime)
  }

  async function run(): Promise<void> {
    // Whatever arrives in this turn of the event loop is in the first batch already.
    await nextTurn()
    while (queue.length > 0 || held.size > 0) {
      dropLate()
      const free = await held.tryDue(triesBetween, (some) => commit(some, conflictsOfPart))
      queue = [...free, ...queue]
      if (queue.length > 0) await commit(take(), conflictsOfBatch)
      else if (held.size > 0) await sleep(idle)
    }
    running = false
  }

  return {
    submit(item, deadline = performance.now() + transactionPatience) {
      if (queue.length + held.size >= mostWaiting) {
        return Promise.reject(new OverloadedError('too many writes are waiting'))
      }
      const { promise, resolve, reject } = Promise.withResolvers<Answer>()
      const key = keyOf(item)
      const one = { item, key, size: sizeOf(item), deadline, resolve, reject }
      if (held.has(key)) held.join(key, one)
      else queue.push(one)
      if (!running) {
        running = true
        void run()
      }
      return promise
    },
  }
}
