import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Gauge, type Registry } from 'prom-client'
import packageJson from '../../package.json' with { type: 'json' }

const resolutionMs = 10

/**
 * What a sum over all processes would hide, and what runs.
 * @param name - of the process: `server`, or in a cluster its role and slot
 */
export function measureProcess(registry: Registry, name: string): void {
  const registers = [registry]
  const delay = monitorEventLoopDelay({ resolution: resolutionMs })
  delay.enable()
  new Gauge({
    name: 'rookery_event_loop_delay_seconds',
    help: 'How late the event loop of a process was, by quantile, since the last scrape.',
    labelNames: ['process', 'quantile'],
    registers,
    collect() {
      for (const quantile of [0.5, 0.99, 1]) {
        const lateMs = delay.count === 0 ? 0 : delay.percentile(quantile * 100) / 1e6 - resolutionMs
        this.set({ process: name, quantile }, Math.max(0, lateMs) / 1_000)
      }
      delay.reset()
    },
  })
  new Gauge({
    name: 'rookery_process_memory_bytes',
    help: 'The resident memory of a process.',
    labelNames: ['process'],
    registers,
    collect() {
      this.set({ process: name }, process.memoryUsage.rss())
    },
  })
  new Gauge({
    name: 'rookery_build_info',
    help: 'Always 1; its labels name the versions of the program and of Node.js.',
    labelNames: ['version', 'node'],
    aggregator: 'max',
    registers,
  }).set({ version: packageJson.version, node: process.versions.node }, 1)
}
