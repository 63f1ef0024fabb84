import type { Measured, Round } from './measure.ts'

const names = { bare: 'bare Fastify', 'one-transaction': 'one transaction per reaction' }

const columns = ['scenario', 'against', 'its requests/s', 'Rookery’s requests/s', 'ratio', 'min–max', 'target']

const format = (number: number) => Math.round(number).toLocaleString('en')

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Rookery's speed in multiples of the baseline's, by round. */
const ratiosOf = ({ rounds }: Measured) => rounds.map(({ baseline, rookery }) => rookery.perSecond / baseline.perSecond)

/** The results as a Markdown table, aligned for the terminal too. */
export function table(results: readonly Measured[]): string[] {
  const nonEmpty = results.filter(({ rounds }) => rounds.length > 0)
  const cells = nonEmpty.map((measured) => {
    const { scenario, rounds } = measured
    const rate = (side: 'baseline' | 'rookery') => format(median(rounds.map((round) => round[side].perSecond)))
    const ratios = ratiosOf(measured)
    return [
      `${scenario.title}, ${scenario.connections} connections`,
      names[scenario.against],
      rate('baseline'),
      rate('rookery'),
      median(ratios).toFixed(1),
      `${Math.min(...ratios).toFixed(1)}–${Math.max(...ratios).toFixed(1)}`,
      scenario.target === null ? '' : `≥ ${scenario.target}`,
    ]
  })
  const widths = columns.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]?.length ?? 0)))
  const pad = (text: string, i: number) => (i < 2 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))
  const line = (row: string[]) => `| ${row.map(pad).join(' | ')} |`
  const rule = widths.map((width, i) => (i < 2 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(columns), `| ${rule.join(' | ')} |`, ...cells.map(line)]
}

/** One round's result. */
export function progressLine(scenario: Measured['scenario'], round: number, baseline: Round, rookery: Round): string {
  const describe = ({ perSecond, serverCpuUs, loadCpuUs }: Round) => {
    const serverPart = serverCpuUs === null ? '' : `server ${format(serverCpuUs)} µs, `
    return `${format(perSecond)}/s (CPU per request: ${serverPart}load ${format(loadCpuUs)} µs)`
  }
  const label = round < 1 ? 'warm-up' : `round ${round}`
  return `${scenario.name}, ${label}: ${names[scenario.against]} ${describe(baseline)}, Rookery ${describe(rookery)}`
}

/** One transaction per reaction conflicts: a request that cannot commit within 4.5 seconds gets a 503. */
const isUnexpected = (scenario: Measured['scenario']) => (status: number) =>
  scenario.against !== 'one-transaction' || status !== 503

/** Responses other than 2xx, and differences between the database and what was acknowledged. */
export function remarks({ scenario, refused, faults }: Measured): string[] {
  const refusals = (side: string, statuses: readonly number[], comment = '') =>
    [...Map.groupBy(statuses, (status) => status)].map(
      ([status, { length }]) =>
        `${scenario.name}: ${side} answered ${format(length)} requests with ${status}${comment}`,
    )
  return [
    ...refusals(names[scenario.against], refused.baseline.filter(isUnexpected(scenario)), ', UNEXPECTED'),
    ...refusals(
      names[scenario.against],
      refused.baseline.filter((status) => !isUnexpected(scenario)(status)),
    ),
    ...refusals('Rookery', refused.rookery, ', UNEXPECTED'),
    ...faults.map((fault) => `${scenario.name}: WRONG, ${fault}`),
  ]
}

/** Whether every acknowledged change is in the database, and no request was refused unexpectedly. */
export const isCorrect = ({ scenario, refused, faults }: Measured): boolean =>
  faults.length === 0 && refused.rookery.length === 0 && !refused.baseline.some(isUnexpected(scenario))
