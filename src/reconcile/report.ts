import { maxShown, type Result } from './reconcile.ts'

const nameWidth = 10

const formatNumber = (number: number) => number.toLocaleString('en')

/** `posts      12,345 checked, drift 0`. */
export function resultLine({ name, checked, drift, fixed }: Result): string {
  const fixedPart = fixed > 0 ? `, fixed ${formatNumber(fixed)}` : ''
  return `${name.padEnd(nameWidth)} ${formatNumber(checked)} checked, drift ${formatNumber(drift)}${fixedPart}`
}

export const remainingDrift = (results: readonly Result[]): number =>
  results.reduce((sum, { drift, fixed }) => sum + drift - fixed, 0)

export function summaryLines(results: readonly Result[]): string[] {
  const drifting = results.reduce((sum, result) => sum + result.drifting, 0)
  const fixed = results.reduce((sum, { fixed }) => sum + fixed, 0)
  const shown = results.flatMap(({ shown }) => shown).slice(0, maxShown)
  const more = drifting - shown.length
  return [
    ...shown.map(
      ({ description, fixed }) => `  ${description}${fixed === undefined ? '' : fixed ? ' (fixed)' : ' (not fixed)'}`,
    ),
    ...(more > 0 ? [`  and ${formatNumber(more)} more`] : []),
    `drift ${formatNumber(remainingDrift(results))}${fixed > 0 ? ` (${formatNumber(fixed)} fixed)` : ''}`,
  ]
}
