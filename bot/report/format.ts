/** A number with its thousands grouped, as in 1,234. */
export const grouped = (number: number): string => number.toLocaleString('en')

export function counted(number: number, noun: string, plural = `${noun}s`): string {
  return `${grouped(number)} ${number === 1 ? noun : plural}`
}

/** Milliseconds with three figures and their unit: 0.84 ms, 12.3 ms, 5.00 s. */
export function milliseconds(ms: number | null): string {
  if (ms === null) return '–'
  return ms >= 1000 ? `${figures(ms / 1000)} s` : `${figures(ms)} ms`
}

export const perSecond = (rate: number): string => `${rate >= 100 ? grouped(Math.round(rate)) : figures(rate)}/s`

export const percent = (fraction: number): string => `${figures(fraction * 100)}%`

function figures(number: number): string {
  if (number >= 100) return grouped(Math.round(number))
  return number >= 10 ? number.toFixed(1) : number.toFixed(2)
}
