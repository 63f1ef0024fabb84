import { describeLoad, isNoisy, type Results, type Round, type Verdict } from './results.ts'
import type { Load, Scenario } from './scenarios/scenario.ts'
import { sides } from './sides.ts'
import { noisyMark } from './tables.ts'

const format = (number: number) => (Number.isNaN(number) ? '?' : Math.round(number).toLocaleString('en'))
const percent = (part: number) => `${Math.round(part * 100)} %`

function describeRound(round: Round): string {
  const { side, perSecond, latencyMs, cpuUs, noise } = round
  const speed = latencyMs
    ? `p50 ${latencyMs.p50.toFixed(1)}, p99 ${latencyMs.p99.toFixed(1)} ms`
    : `${format(perSecond)}/s`
  const cpu = `${format(cpuUs.server)} + ${format(cpuUs.mongod)} + ${format(cpuUs.load)} µs`
  return `${sides[side].title} ${speed} (${cpu}${isNoisy(round) ? `, noise ${percent(noise ?? 0)}` : ''})`
}

/** One round's results, with the CPU time per request of server, mongod and load. */
export function progressLine(scenario: Scenario, load: Load, round: number, results: readonly Round[]): string {
  const label = round < 1 ? 'warm-up' : `round ${round}`
  return `${scenario.name}, ${describeLoad(load)}, ${label}: ${results.map(describeRound).join(', ')}`
}

/** Several of these commit in one transaction each, which conflict: a request that takes over 4.5 seconds gets a 503. */
const isUnexpected = ({ side }: Verdict, status: number) => side !== 'one-transaction' || status !== 503

/** Responses other than 2xx, and differences between a database and what was acknowledged. */
function remarksOn(verdict: Verdict): string[] {
  const { scenario, side, refused, faults } = verdict
  const refusals = [...Map.groupBy(refused, (status) => status)].map(([status, { length }]) => {
    const comment = isUnexpected(verdict, status) ? ', UNEXPECTED' : ''
    return `${scenario.name}: ${sides[side].title} answered ${format(length)} requests with ${status}${comment}`
  })
  return [...refusals, ...faults.map((fault) => `${scenario.name}: WRONG, ${fault}`)]
}

/** Whether every acknowledged change is in the database, and no request was refused unexpectedly. */
export const isCorrect = ({ verdicts }: Results): boolean =>
  verdicts.every(
    (verdict) => verdict.faults.length === 0 && !verdict.refused.some((status) => isUnexpected(verdict, status)),
  )

/** What the tables do not say: noise, refusals, differences. */
export function remarks({ measured, verdicts }: Results): string[] {
  const rounds = measured.flatMap((one) => one.rounds.flat())
  const noisy = rounds.filter(isNoisy).length
  return [
    ...(noisy === 0
      ? []
      : [
          `${format(noisy)} of ${format(rounds.length)} rounds were noisy: others took more than 5 % of the machine. ${noisyMark}: most rounds of this figure.`,
        ]),
    ...verdicts.flatMap(remarksOn),
  ]
}
