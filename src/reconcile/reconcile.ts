import type { MongoClient } from 'mongodb'
import { TransactionTimeoutError } from '../database/failures.ts'
import { transactor } from '../database/transaction.ts'
import type { Check, Drift } from './check.ts'
import { checkCounters } from './check-counters.ts'
import { checkDays } from './check-days.ts'
import { checkOrphans } from './check-orphans.ts'
import { kinds } from './counters.ts'
import { ownerships } from './ownership.ts'
import { walk } from './snapshot.ts'
import { ownSweeps } from './sweeps.ts'

/** @property fixed - whether it was made right; undefined when that was not wished. */
export type Finding = { words: string; fixed: boolean | undefined }

/**
 * What one check came to.
 * @property things - how many things drift; `shown` has the first of them.
 * @property drift - by how much all of them do, and `fixed`, by how much those did that are right now.
 */
export type Result = {
  name: string
  checked: number
  things: number
  drift: number
  fixed: number
  shown: Finding[]
}

/** The most things that are remembered to be shown. */
export const mostShown = 20

export type Wish = {
  /** whether to make right what drifts */
  fix: boolean
  /** Ends the walk after what it is at. */
  stop: AbortSignal
  /** Hears of each check as it ends. */
  onResult: (result: Result) => void
}

/**
 * Counts everything anew that is kept counted, and compares. Others may read and write meanwhile: each thing is
 * compared within one snapshot, in which it drifts only if it really does.
 */
export async function reconcile(client: MongoClient, database: string, wish: Wish): Promise<Result[]> {
  const db = client.db(database)
  const transact = transactor(client)
  const sweeps = ownSweeps(db, transact)
  const checks = [
    ...kinds.map((kind) => checkCounters(db, transact, kind)),
    ...ownerships.map((belonging) => checkOrphans(db, transact, sweeps, belonging)),
    checkDays(db, transact),
  ]
  const results: Result[] = []
  for (const check of checks) {
    if (wish.stop.aborted) break
    const result = await run(client, database, check, wish)
    wish.onResult(result)
    results.push(result)
  }
  return results
}

async function run(client: MongoClient, database: string, check: Check, { fix, stop }: Wish): Promise<Result> {
  const result: Result = { name: check.name, checked: 0, things: 0, drift: 0, fixed: 0, shown: [] }
  for await (const { checked, drifts } of walk(client, database, check)) {
    result.checked += checked
    if (fix && !stop.aborted) await check.prepare(drifts)
    for (const drift of drifts) {
      const fixed = fix && !stop.aborted ? await isFixed(client, database, check, drift) : undefined
      result.things += 1
      result.drift += drift.amount
      if (fixed) result.fixed += drift.amount
      if (result.shown.length < mostShown) result.shown.push({ words: drift.words, fixed })
    }
    if (stop.aborted) break
  }
  return result
}

async function isFixed(client: MongoClient, database: string, check: Check, drift: Drift): Promise<boolean> {
  try {
    await check.fix(drift)
    return true
  } catch (error) {
    if (!(error instanceof TransactionTimeoutError)) throw error
    // Or nobody answers: then it is over.
    await client.db(database).command({ ping: 1 })
    return false
  }
}
