import type { Db } from 'mongodb'
import { Gauge, type Registry } from 'prom-client'

type Queues = {
  passwords: { queueSize(): { running: number; waiting: number } }
  revocations: { lagSeconds(): number }
}

const maxCounted = 1_000
const countWithinMs = 1_000

/** Adds what waits in this process, and in the database for any of them. */
export function measureQueues(registry: Registry, db: Db, { passwords, revocations }: Queues): void {
  const registers = [registry]
  new Gauge({
    name: 'rookery_password_hashes',
    help: 'Password hashes, by state: running, or waiting for their turn.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, count] of Object.entries(passwords.queueSize())) this.set({ state }, count)
    },
  })
  new Gauge({
    name: 'rookery_revocation_lag_seconds',
    help: 'How old the knowledge of ended sessions is: the oldest of all processes. Above 0.8 each request queries it.',
    aggregator: 'max',
    registers,
    collect() {
      this.set(revocations.lagSeconds())
    },
  })
  new Gauge({
    name: 'rookery_sweeps_pending',
    help: `Deleted posts and accounts whose reactions or content are not deleted yet, up to ${maxCounted}.`,
    labelNames: ['kind'],
    aggregator: 'max',
    registers,
    async collect() {
      this.reset()
      const count = async (kind: string, collection: string) => {
        const unswept = db
          .collection(collection)
          .countDocuments({ sweptAt: { $exists: false } }, { limit: maxCounted, timeoutMS: countWithinMs })
        // Without the database there is no figure; another metric tells that it is gone.
        await unswept.then((found) => this.set({ kind }, found)).catch(() => undefined)
      }
      await Promise.all([count('posts', 'removedPosts'), count('accounts', 'removedAccounts')])
    },
  })
}
