import { Counter, Gauge, type Registry } from 'prom-client'

type WatchedWorker = { role: string; silentMs(): number }

/** Adds the primary's view of its workers: how long each role gives no sign of life, and how many were replaced. */
export function measureWorkers(registry: Registry, workers: () => readonly WatchedWorker[]) {
  new Gauge({
    name: 'rookery_worker_silence_seconds',
    help: 'Seconds since the last sign of life of a worker: the longest of each role.',
    labelNames: ['role'],
    aggregator: 'max',
    registers: [registry],
    collect() {
      this.reset()
      for (const [role, ofRole] of Map.groupBy(workers(), ({ role }) => role)) {
        this.set({ role }, Math.max(...ofRole.map(({ silentMs }) => silentMs())) / 1_000)
      }
    },
  })
  const replacements = new Counter({
    name: 'rookery_worker_replacements_total',
    help: 'Workers replaced, by role, and by whether they had exited or were killed for giving no sign of life.',
    labelNames: ['role', 'reason'],
    registers: [registry],
  })
  return {
    noteReplacement: (role: string, reason: 'exited' | 'silent'): void => replacements.inc({ role, reason }),
  }
}
