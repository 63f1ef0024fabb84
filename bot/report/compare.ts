import { mannWhitney } from './mann-whitney.ts'
import type { Report, ReportedFigures } from './schema.ts'

/** One figure of two runs. `verdict` says whether the difference is one. */
export type Comparison = {
  action: string
  metric: 'rate' | 'p50' | 'p99'
  a: number
  b: number
  ratio: number
  verdict: 'higher' | 'lower' | 'noise' | 'too short to tell'
}

const minWindows = 8
const minSamplesOfP99 = 100
const significance = 0.01
const minShift = 0.05

/**
 * Compares two runs, action by action. Windows of five seconds are the samples, because requests within a second share
 * their luck. A difference is noise unless a Mann-Whitney test over the windows finds it, with Holm's correction for all
 * rows at 1%, and it is larger than 5%.
 */
export function compareReports(a: Report, b: Report): Comparison[] {
  const rows = [
    pair('all', a.total, b.total),
    ...a.actions.flatMap((figures) => {
      const other = b.actions.find(({ action }) => action === figures.action)
      return other ? [pair(figures.action, figures, other)] : []
    }),
  ].flat()
  const rejected = holm(rows.map(({ p }) => p ?? 1))
  return rows.map(({ p, ...row }, i) => ({
    ...row,
    verdict: p === null ? 'too short to tell' : verdictOf(row, rejected[i] ?? false),
  }))
}

/** What makes two reports incomparable or their figures doubtful, as sentences. */
export function caveats(a: Report, b: Report): string[] {
  const faults: string[] = []
  if (a.run.model !== b.run.model)
    faults.push(`One run used the ${a.run.model} model, the other the ${b.run.model} one.`)
  if (a.machine.cpu !== b.machine.cpu || a.machine.cores !== b.machine.cores)
    faults.push('The runs come from different machines.')
  for (const [name, { load }] of [
    ['first', a],
    ['second', b],
  ] as const)
    for (const reason of load.invalid) faults.push(`The figures of the ${name} run are invalid: ${reason}`)
  return faults
}

type Row = Omit<Comparison, 'verdict'> & { p: number | null }

function pair(action: string, a: ReportedFigures, b: ReportedFigures): Row[] {
  return (['rate', 'p50', 'p99'] as const).flatMap((metric) => {
    const [valueA, valueB] = metric === 'rate' ? [a.perSecond, b.perSecond] : [a.latency[metric], b.latency[metric]]
    if (valueA === null || valueB === null || valueA === 0) return []
    const samplesA = samplesOf(a.windows, metric)
    const samplesB = samplesOf(b.windows, metric)
    const isLongEnough = samplesA.length >= minWindows && samplesB.length >= minWindows
    const p = isLongEnough ? mannWhitney(samplesA, samplesB) : null
    return [{ action, metric, a: valueA, b: valueB, ratio: valueB / valueA, p }]
  })
}

function samplesOf(windows: ReportedFigures['windows'], metric: Comparison['metric']): number[] {
  if (metric === 'rate') return windows.map(({ count }) => count)
  const enough = windows.filter(({ count }) => metric === 'p50' || count >= minSamplesOfP99)
  return enough.flatMap((window) => window[metric] ?? [])
}

function verdictOf({ ratio }: { ratio: number }, isDifferent: boolean): Comparison['verdict'] {
  if (!isDifferent || Math.abs(ratio - 1) <= minShift) return 'noise'
  return ratio > 1 ? 'higher' : 'lower'
}

/** Which hypotheses Holm's step-down procedure rejects. */
function holm(probabilities: readonly number[]): boolean[] {
  const order = [...probabilities.keys()].sort((i, j) => (probabilities[i] ?? 1) - (probabilities[j] ?? 1))
  const rejected = probabilities.map(() => false)
  for (const [rank, i] of order.entries()) {
    if ((probabilities[i] ?? 1) > significance / (probabilities.length - rank)) break
    rejected[i] = true
  }
  return rejected
}
