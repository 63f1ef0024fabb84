import { UUID } from 'mongodb'
import { v7 } from 'uuid'
import { highestId } from '../../../src/database/ids.ts'
import { type Authors, year } from './data.ts'

/** Whom somebody follows, by a name for the report. */
export type Readers = Record<string, UUID[]>

export const readersOf = ({ busy, mixed, silent, replying, lapsed }: Authors): Readers => ({
  '10 busy': busy.slice(0, 10),
  '10 mixed': mixed.slice(1_000, 1_010),
  '10 silent': silent.slice(2_995, 3_005),
  '10 replying': replying.slice(0, 10),
  '100 mixed': [...busy.slice(0, 2), ...mixed.slice(1_000, 1_098)],
  '100 silent': silent.slice(2_950, 3_050),
  '100 replying': replying.slice(0, 100),
  '1,000 mixed': [...busy, ...mixed.slice(0, 980)],
  '1,000 rare': mixed.slice(-1_000),
  '1,000 silent': silent.slice(2_500, 3_500),
  '1,000 replying': replying,
  '1,000 lapsed': lapsed,
  '5,000 mixed': [...busy, ...mixed, ...silent.slice(2_510, 3_490)],
  '5,000 silent': silent.slice(0, 5_000),
})

/** Where a page begins: the id before which everything on it is. */
export function placesOf(now: number): Record<string, UUID> {
  const after = (part: number) => new UUID(v7({ msecs: Math.floor(now - part * year) }))
  return { first: highestId, 'after 10%': after(0.1), 'after half': after(0.5), 'near the end': after(0.98) }
}
