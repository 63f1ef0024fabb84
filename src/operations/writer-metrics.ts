import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { WriterObserver } from '../writer/observer.ts'

/** Adds the figures of the writer that gets the result as its observer. */
export function measureWriter(registry: Registry): Omit<WriterObserver, 'onLocked'> {
  const registers = [registry]
  const sizes = new Histogram({
    name: 'rookery_write_batch_commands',
    help: 'Commands in each committed batch.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
    registers,
  })
  const durations = new Histogram({
    name: 'rookery_write_batch_duration_seconds',
    help: 'Seconds from the begin of a batch to its commit, with all its tries.',
    buckets: [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  })
  const conflicts = new Counter({
    name: 'rookery_write_conflicts_total',
    help: 'Tries of a batch that conflicted with another transaction.',
    registers,
  })
  const failures = new Counter({
    name: 'rookery_write_failures_total',
    help: 'Commands that were not acknowledged, by reason: overloaded, late, refused, unknown or failed.',
    labelNames: ['reason'],
    registers,
  })
  for (const reason of ['overloaded', 'late', 'refused', 'unknown', 'failed']) failures.inc({ reason }, 0)
  return {
    track(progress) {
      new Gauge({
        name: 'rookery_writes_waiting',
        help: 'Commands that wait for their commit.',
        registers,
        collect() {
          this.set(progress.waiting())
        },
      })
      new Gauge({
        name: 'rookery_writes_oldest_wait_seconds',
        help: 'Seconds that the oldest waiting command has waited; 0 if none waits.',
        aggregator: 'max',
        registers,
        collect() {
          this.set(progress.oldestWaitMs() / 1_000)
        },
      })
    },
    committed(commands, tookMs) {
      sizes.observe(commands)
      durations.observe(tookMs / 1_000)
    },
    conflicted: () => conflicts.inc(),
    failed: (reason) => failures.inc({ reason }),
  }
}
