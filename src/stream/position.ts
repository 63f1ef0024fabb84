import { Timestamp } from 'mongodb'

/**
 * Where a change is in the order of commits: its cluster time (seconds, increment), and its number among the changes of
 * that time, from 1, since those of one transaction share one. In hexadecimal, so that positions compare as strings.
 */
export type Position = string

export const positionForm = /^[0-9a-f]{24}$/

const hex = (number: number) => number.toString(16).padStart(8, '0')

/** @param number - 0 is before all changes of that time */
export const positionAt = ({ t, i }: { t: number; i: number }, number = 0): Position => hex(t) + hex(i) + hex(number)

export const secondsOf = (position: Position): number => Number.parseInt(position.slice(0, 8), 16)

export const timeOf = (position: Position): Timestamp =>
  new Timestamp({ t: secondsOf(position), i: Number.parseInt(position.slice(8, 16), 16) })

/** The first position of a time so many seconds earlier. */
export const secondsBefore = (position: Position, seconds: number): Position =>
  positionAt({ t: Math.max(0, secondsOf(position) - seconds), i: 0 })

/** How a resume token begins since MongoDB 4.2: a type byte, then the cluster time. Nothing else of it is read. */
const tokenForm = /^82([0-9A-F]{16})/i

/** @returns the position before all changes of the token's time; undefined for a token of another form */
export function positionOfToken(token: unknown): Position | undefined {
  const [, time] = tokenForm.exec(String(token)) ?? []
  return time === undefined ? undefined : `${time.toLowerCase()}${hex(0)}`
}
