import { Counter, Gauge, type Registry } from 'prom-client'
import type { OutboxStore } from './outbox.ts'

const maxCounted = 1_000
const readWithinMs = 1_000

/** @returns the counter of results */
export function measureMails(registry: Registry, outbox: Pick<OutboxStore, 'count' | 'oldest'>): Counter<'result'> {
  const registers = [registry]
  const results = new Counter({
    name: 'rookery_mails_total',
    help: 'Mails, by result: sent, failed (a try that is repeated), or given-up.',
    labelNames: ['result'] as const,
    registers,
  })
  for (const result of ['sent', 'failed', 'given-up']) results.inc({ result }, 0)
  // Without the database there is no new figure; another metric tells that it is gone.
  new Gauge({
    name: 'rookery_mails_pending',
    help: `Mails that wait to be sent, up to ${maxCounted}.`,
    aggregator: 'max',
    registers,
    async collect() {
      await outbox.count(maxCounted, readWithinMs).then(
        (count) => this.set(count),
        () => undefined,
      )
    },
  })
  new Gauge({
    name: 'rookery_mails_oldest_age_seconds',
    help: 'How long ago the oldest mail that waits was due; 0 if none was.',
    aggregator: 'max',
    registers,
    async collect() {
      const secondsSince = (at: Date) => Math.max(0, (Date.now() - at.getTime()) / 1_000)
      await outbox.oldest(readWithinMs).then(
        (oldest) => this.set(oldest === undefined ? 0 : secondsSince(oldest)),
        () => undefined,
      )
    },
  })
  return results
}
