import type { Measured, Round } from './measure.ts'

const names = { bare: 'bare Fastify', 'one-transaction': 'one transaction each' }

const columns = ['scenario', 'against', 'its requests/s', 'Rookery’s requests/s', 'ratio', 'least–most', 'target']

const grouped = (number: number) => Math.round(number).toLocaleString('en')

/** The middle one of some numbers. */
function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((one, other) => one - other)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** How many times as fast the server was, in each round. */
const ratiosOf = ({ rounds }: Measured) => rounds.map(({ baseline, rookery }) => rookery.perSecond / baseline.perSecond)

/** What was measured as a table in Markdown, which is aligned for the terminal as well. */
export function table(all: readonly Measured[]): string[] {
  const begun = all.filter(({ rounds }) => rounds.length > 0)
  const cells = begun.map((measured) => {
    const { scenario, rounds } = measured
    const rate = (side: 'baseline' | 'rookery') => grouped(median(rounds.map((round) => round[side].perSecond)))
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

/** One round, while it goes on. */
export function progress(scenario: Measured['scenario'], round: number, baseline: Round, rookery: Round): string {
  const of = ({ perSecond, serverCpu, loadCpu }: Round) => {
    const ofServer = serverCpu === null ? '' : `server ${grouped(serverCpu)} µs, `
    return `${grouped(perSecond)}/s (CPU a request: ${ofServer}load ${grouped(loadCpu)} µs)`
  }
  const when = round < 1 ? 'warm-up' : `round ${round}`
  return `${scenario.name}, ${when}: ${names[scenario.against]} ${of(baseline)}, Rookery ${of(rookery)}`
}

/** One transaction each has its conflicts: who finds no way to commit in 4.5 seconds is refused with 503. */
const isUnexpected = (scenario: Measured['scenario']) => (status: number) =>
  scenario.against !== 'one-transaction' || status !== 503

/** What else is to be known of a scenario: answers that were no acknowledgement, and what the database says otherwise. */
export function remarks({ scenario, refused, faults }: Measured): string[] {
  const of = (side: string, statuses: readonly number[], comment = '') =>
    [...Map.groupBy(statuses, (status) => status)].map(
      ([status, { length }]) =>
        `${scenario.name}: ${side} answered ${grouped(length)} requests with ${status}${comment}`,
    )
  return [
    ...of(names[scenario.against], refused.baseline.filter(isUnexpected(scenario)), ', NOT EXPECTED'),
    ...of(
      names[scenario.against],
      refused.baseline.filter((status) => !isUnexpected(scenario)(status)),
    ),
    ...of('Rookery', refused.rookery, ', NOT EXPECTED'),
    ...faults.map((fault) => `${scenario.name}: WRONG, ${fault}`),
  ]
}

/** Whether every acknowledged change is there, and nothing was refused that should not have been. */
export const isRight = ({ scenario, refused, faults }: Measured): boolean =>
  faults.length === 0 && refused.rookery.length === 0 && !refused.baseline.some(isUnexpected(scenario))
