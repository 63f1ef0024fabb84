import type { ProcessMetrics } from './metrics.ts'

type Metric = ProcessMetrics[number]

/** A process whose metrics are summed with those of others. */
export type MeasuredProcess = {
  metrics(): Promise<ProcessMetrics | undefined>
  /** The listener gets each of its answers, and what it sends before it exits. */
  onMetrics(listener: (metrics: ProcessMetrics) => void): void
  /** Resolves when nothing more can arrive from it. */
  gone: Promise<void>
}

const neverFalls = ({ type }: Metric) => String(type) === 'counter' || String(type) === 'histogram'

/** The sum of the counters and histograms of processes that ended, however many: one value for each series. */
function sumOfEnded() {
  const metrics = new Map<string, Metric>()
  const series = new Map<string, Metric['values'][number]>()

  function add(metric: Metric): void {
    const sum = metrics.get(metric.name) ?? { ...metric, values: [] }
    metrics.set(metric.name, sum)
    for (const value of metric.values) {
      // Of a histogram, the name of a value says whether it is a bucket, the count or the sum.
      const name = 'metricName' in value ? value.metricName : metric.name
      const key = JSON.stringify([name, ...Object.entries(value.labels).sort()])
      const known = series.get(key)
      if (known) known.value += value.value
      else {
        const first = { ...value }
        series.set(key, first)
        sum.values.push(first)
      }
    }
  }

  return {
    add: (all: ProcessMetrics): void => all.filter(neverFalls).forEach(add),
    all: (): ProcessMetrics => [...metrics.values()],
  }
}

/**
 * The metrics of processes that are replaced, so that no sum of their counters falls: `increase()` in Prometheus would take
 * the rest for a restart, and count it once more. Of a process that has ended, or does not answer, its last counters count;
 * its gauges do not.
 */
export function metricsSum() {
  const last = new Map<MeasuredProcess, ProcessMetrics>()
  const ended = sumOfEnded()

  return {
    add(process: MeasuredProcess): void {
      process.onMetrics((metrics) => last.set(process, metrics))
      process.gone.then(() => {
        ended.add(last.get(process) ?? [])
        last.delete(process)
      })
    },

    /** The parts of the sum, after asking these processes. */
    async collect(processes: readonly MeasuredProcess[]): Promise<ProcessMetrics[]> {
      const answered = new Set<MeasuredProcess>()
      const ask = async (process: MeasuredProcess) => void ((await process.metrics()) && answered.add(process))
      await Promise.all(processes.map(ask))
      // From here on without waiting: a process that ends in between would count twice, or not at all.
      const parts = [...last].map(([process, all]) => (answered.has(process) ? all : all.filter(neverFalls)))
      return [...parts, ended.all()]
    },
  }
}
