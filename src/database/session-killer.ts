import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientSession, Db, Document } from 'mongodb'

type SessionId = NonNullable<ClientSession['id']>

/** Longer than MongoDB keeps a transaction open where its lifetime is 10 s, as in the embedded MongoDB. */
const giveUpAfterMs = 15_000
const retryMs = 250
const commandTimeoutMs = 1_000
/** A transaction that ran nothing between two looks this far apart is orphaned: its process exited, or lost a message. */
const orphanedAfterMs = 900

type OpenTransaction = {
  lsid: SessionId & { uid: unknown }
  transaction: { parameters: { txnNumber: unknown }; timeActiveMicros: unknown }
}

/** MongoDB lets a user kill its own sessions, in any process. The connections of `signals` wait for no transaction. */
export function sessionKiller(signals: Db) {
  const waiting = new Map<SessionId, { until: number; settle: (isKilled: boolean) => void }>()
  const idle = new Map<string, { activity: string; since: number }>()
  let isRunning = false

  const killAll = (ids: readonly Document[]): Promise<boolean> =>
    signals.command({ killSessions: ids }, { timeoutMS: commandTimeoutMs }).then(
      () => true,
      () => false,
    )

  async function run(): Promise<void> {
    while (waiting.size > 0) {
      const batch = [...waiting]
      const isKilled = await killAll(batch.map(([id]) => id))
      for (const [id, { until, settle }] of batch) {
        if (!isKilled && performance.now() < until) continue
        waiting.delete(id)
        settle(isKilled)
      }
      if (!isKilled) await sleep(retryMs, undefined, { ref: false })
    }
    isRunning = false
  }

  return {
    /** Resolves with true once MongoDB has ended the session's transaction: it is committed or aborted. Tries for 15 s. */
    kill({ id }: ClientSession): Promise<boolean> {
      if (id === undefined) return Promise.resolve(true)
      const { promise, resolve } = Promise.withResolvers<boolean>()
      waiting.set(id, { until: performance.now() + giveUpAfterMs, settle: resolve })
      if (!isRunning) {
        isRunning = true
        void run()
      }
      return promise
    },

    /** Kills this user's transactions that ran nothing since an earlier look, 0.9 s ago or more. @returns how many */
    async killOrphans(): Promise<number> {
      const open = await signals.client
        .db('admin')
        .aggregate<OpenTransaction>(
          [
            { $currentOp: { allUsers: false, idleSessions: true } },
            { $match: { type: 'idleSession', transaction: { $exists: true } } },
            { $project: { lsid: 1, transaction: 1 } },
          ],
          // The only one that $currentOp accepts.
          { timeoutMS: commandTimeoutMs, readConcern: { level: 'local' } },
        )
        .toArray()
      const now = performance.now()
      const orphans: SessionId[] = []
      const seen = new Set<string>()
      for (const { lsid, transaction } of open) {
        const name = String(lsid.id)
        const activity = `${transaction.parameters.txnNumber} ${transaction.timeActiveMicros}`
        const earlier = idle.get(name)
        seen.add(name)
        if (earlier?.activity !== activity) idle.set(name, { activity, since: now })
        else if (now - earlier.since >= orphanedAfterMs) orphans.push({ id: lsid.id })
      }
      for (const name of idle.keys()) if (!seen.has(name)) idle.delete(name)
      return orphans.length > 0 && (await killAll(orphans)) ? orphans.length : 0
    },
  }
}
