/** A limit that a run must keep, as in `like p99<250ms`. `action` is null for all actions together. */
export type Expectation = {
  text: string
  action: string | null
  metric: Metric
  comparison: Comparison
  /** Milliseconds, requests a second, a number, or a fraction with `isFraction`. */
  limit: number
  isFraction: boolean
}

export type Metric = (typeof metrics)[number]
type Comparison = '<' | '<=' | '>' | '>='

const latencyMetrics = ['p50', 'p90', 'p99', 'max'] as const
const metrics = [...latencyMetrics, 'rate', 'count', 'errors'] as const
const pattern = /^(?:([a-z][a-z -]*?) +)?([a-z]+\d*) *(<=|>=|<|>) *(\d+(?:\.\d+)?) *(ms|s|\/s|%)?$/
const example = 'such as "like p99<250ms", "errors<1%" or "rate>=100"'

/** Parses `[action] metric comparison value`. Returns the fault as a sentence when it cannot. */
export function parseExpectation(text: string): Expectation | { fault: string } {
  const [, action, name, comparison, value, unit = ''] = pattern.exec(text.trim()) ?? []
  if (!name || !isComparison(comparison)) return { fault: `"${text}" must be an expectation ${example}.` }
  const metric = metrics.find((metric) => metric === name)
  if (!metric) return { fault: `"${text}" has the unknown metric ${name}; choose ${metrics.join(', ')}.` }
  if (!unitsOf(metric).includes(unit)) return { fault: `"${text}" needs ${describeUnits(metric)}.` }
  const factor = unit === 's' ? 1000 : unit === '%' ? 0.01 : 1
  return {
    ...{ text, action: action?.replaceAll('-', ' ') ?? null, metric, comparison },
    ...{ limit: Number(value) * factor, isFraction: unit === '%' },
  }
}

/** Whether `value` keeps the limit. */
export function keeps({ comparison, limit }: Expectation, value: number): boolean {
  if (comparison === '<') return value < limit
  if (comparison === '<=') return value <= limit
  return comparison === '>' ? value > limit : value >= limit
}

const isLatency = (metric: Metric): boolean => latencyMetrics.some((latency) => latency === metric)

function unitsOf(metric: Metric): string[] {
  if (isLatency(metric)) return ['ms', 's']
  if (metric === 'rate') return ['', '/s']
  return metric === 'errors' ? ['', '%'] : ['']
}

function describeUnits(metric: Metric): string {
  if (isLatency(metric)) return 'a time in ms or s'
  if (metric === 'rate') return 'a number of requests a second'
  return metric === 'errors' ? 'a number or a percentage' : 'a number'
}

function isComparison(text: string | undefined): text is Comparison {
  return text === '<' || text === '<=' || text === '>' || text === '>='
}
