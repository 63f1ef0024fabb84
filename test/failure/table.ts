import { styleText } from 'node:util'
import type { Result } from './trial.ts'

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`
const widths = [18, 9, 25, 6, 10, 16]
const row = (cells: readonly string[]) =>
  cells.map((cell, n) => (n === 0 ? cell.padEnd(widths[n] ?? 0) : cell.padStart(widths[n] ?? 0))).join('')

export const heading = row(['fault', '503 for', 'limit', '503', 'requests', 'longest answer'])

/** A row, and a line below it for each reason of a failure. */
export function resultLines({ name, limit, spanMs, refused, requests, longestMs, reasons }: Result): string[] {
  const limitText = limit.seconds === 0 ? 'no failure' : `${limit.seconds} s from the ${limit.from}`
  const cells = [name, refused === 0 ? '-' : seconds(spanMs), limitText, String(refused), String(requests)]
  const verdict = reasons.length === 0 ? styleText('green', 'passed') : styleText('red', 'failed')
  return [`${row([...cells, seconds(longestMs)])}  ${verdict}`, ...reasons.map((reason) => `    ${reason}`)]
}
