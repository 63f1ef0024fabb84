import { mostShown, type Result } from './reconcile.ts'

const nameWidth = 10

/** A whole number with its thousands apart: 1,234. */
const grouped = (number: number) => number.toLocaleString('en')

/** `posts      12,345 checked, drift 0`. */
export function resultLine({ name, checked, drift, fixed }: Result): string {
  const mended = fixed > 0 ? `, fixed ${grouped(fixed)}` : ''
  return `${name.padEnd(nameWidth)} ${grouped(checked)} checked, drift ${grouped(drift)}${mended}`
}

/** How much drift is left. */
export const driftLeft = (results: readonly Result[]): number =>
  results.reduce((sum, { drift, fixed }) => sum + drift - fixed, 0)

/** The first things that drift, how many more do, and how much is left. */
export function lastLines(results: readonly Result[]): string[] {
  const things = results.reduce((sum, { things }) => sum + things, 0)
  const fixed = results.reduce((sum, { fixed }) => sum + fixed, 0)
  const shown = results.flatMap(({ shown }) => shown).slice(0, mostShown)
  const more = things - shown.length
  return [
    ...shown.map(({ words, fixed }) => `  ${words}${fixed === undefined ? '' : fixed ? ' (fixed)' : ' (not fixed)'}`),
    ...(more > 0 ? [`  and ${grouped(more)} more`] : []),
    `drift ${grouped(driftLeft(results))}${fixed > 0 ? ` (${grouped(fixed)} fixed)` : ''}`,
  ]
}
