import { setTimeout as sleep } from 'node:timers/promises'
import type { Db } from 'mongodb'
import { Gauge, type Registry } from 'prom-client'

/** How many operations of a client have a connection, and how many wait for one. */
export type PoolUse = { inUse(): number; waiting(): number }

/** A scrape must not wait longer for a database that does not answer. */
const answerWithinMs = 1_000

/** Adds the driver's pools, by purpose, and MongoDB as this process sees it: its latency, and who is primary. */
export function measureDatabase(registry: Registry, signals: Db, pools: Readonly<Record<string, () => PoolUse>>): void {
  const registers = [registry]
  const gaugeOf = (name: string, help: string, read: (use: PoolUse) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['purpose'],
      registers,
      collect() {
        for (const [purpose, use] of Object.entries(pools)) this.set({ purpose }, read(use()))
      },
    })
  gaugeOf('rookery_mongodb_operations', 'Operations that have a connection to MongoDB.', (use) => use.inUse())
  gaugeOf('rookery_mongodb_operations_waiting', 'Operations that wait for a connection.', (use) => use.waiting())

  async function ask() {
    const startedAt = performance.now()
    const late = sleep(answerWithinMs, undefined, { ref: false })
    const hello = await Promise.race([signals.command({ hello: 1 }, { timeoutMS: answerWithinMs }), late]).catch(
      () => undefined,
    )
    return { hello, seconds: hello === undefined ? -1 : (performance.now() - startedAt) / 1_000 }
  }

  let asking: ReturnType<typeof ask> | undefined
  /** One scrape collects all metrics at once. */
  function askOnce() {
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return asking
  }

  new Gauge({
    name: 'rookery_mongodb_primary',
    help: 'Always 1; its label names the primary that MongoDB answers with. Absent without a primary.',
    labelNames: ['host'],
    aggregator: 'max',
    registers,
    async collect() {
      const { hello } = await askOnce()
      this.reset()
      if (typeof hello?.primary === 'string') this.set({ host: hello.primary }, 1)
    },
  })
  new Gauge({
    name: 'rookery_mongodb_latency_seconds',
    help: 'How long MongoDB took to answer one short command; -1 if it did not within a second.',
    aggregator: 'max',
    registers,
    async collect() {
      this.set((await askOnce()).seconds)
    },
  })
}
