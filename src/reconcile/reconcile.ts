import type { MongoClient } from 'mongodb'
import { OutcomeUnknownError, TransactionTimeoutError } from '../database/failures.ts'
import { transactor } from '../database/transaction.ts'
import type { Check, Drift } from './check.ts'
import { checkCounters } from './check-counters.ts'
import { checkDays } from './check-days.ts'
import { checkOrphans, type Sweeps } from './check-orphans.ts'
import { counterSets } from './counters.ts'
import { ownerships } from './ownership.ts'
import { walk } from './snapshot.ts'

export type Finding = { description: string; fixed: boolean | undefined }

export type Result = {
  name: string
  checked: number
  drifting: number
  drift: number
  fixed: number
  shown: Finding[]
}

export const maxShown = 20

export type ReconcileOptions = {
  fix: boolean
  stop: AbortSignal
  onResult: (result: Result) => void
}

/** The server can keep running: each comparison reads one snapshot, with complete concurrent writes or none. */
export async function reconcile(
  client: MongoClient,
  database: string,
  sweeps: Sweeps,
  options: ReconcileOptions,
): Promise<Result[]> {
  const db = client.db(database)
  const transact = transactor(client)
  const checks = [
    ...counterSets.map((set) => checkCounters(db, transact, set)),
    ...ownerships.map((ownership) => checkOrphans(db, transact, sweeps, ownership)),
    checkDays(db, transact),
  ]
  const results: Result[] = []
  for (const check of checks) {
    if (options.stop.aborted) break
    const result = await run(client, database, check, options)
    options.onResult(result)
    results.push(result)
  }
  return results
}

async function run(
  client: MongoClient,
  database: string,
  check: Check,
  { fix, stop }: ReconcileOptions,
): Promise<Result> {
  const result: Result = { name: check.name, checked: 0, drifting: 0, drift: 0, fixed: 0, shown: [] }
  for await (const { checked, drifts } of walk(client, database, check)) {
    result.checked += checked
    if (fix && !stop.aborted) await check.prepare(drifts)
    for (const drift of drifts) {
      const fixed = fix && !stop.aborted ? await tryFix(client, database, check, drift) : undefined
      result.drifting += 1
      result.drift += drift.amount
      if (fixed) result.fixed += drift.amount
      if (result.shown.length < maxShown) result.shown.push({ description: drift.description, fixed })
    }
    if (stop.aborted) break
  }
  return result
}

async function tryFix(client: MongoClient, database: string, check: Check, drift: Drift): Promise<boolean> {
  try {
    await check.fix(drift)
    return true
  } catch (error) {
    // Unknown: the next run finds what was not fixed.
    if (!(error instanceof TransactionTimeoutError || error instanceof OutcomeUnknownError)) throw error
    // Throws when the timeout was due to an unreachable database.
    await client.db(database).command({ ping: 1 })
    return false
  }
}
