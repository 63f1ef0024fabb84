import { UUID } from 'mongodb'
import { idGenerator } from './id-generator.ts'

/** A UUIDv7 that ascends within this process unless the clock is set back by a second or more: see id-generator.ts. */
export const newId = idGenerator()

export const toUuid = (id: string): UUID => new UUID(id)

export const lowestId = new UUID('00000000-0000-0000-0000-000000000000')
export const highestId = new UUID('ffffffff-ffff-ffff-ffff-ffffffffffff')

/** A bound between the ids created before `time` and those created at `time` or later. */
export function firstIdOf(time: Date): UUID {
  const milliseconds = Math.max(0, time.getTime()).toString(16).padStart(12, '0')
  return new UUID(`${milliseconds.slice(0, 8)}-${milliseconds.slice(8)}-0000-0000-000000000000`)
}

/** The creation time in an id, to the millisecond: a document with such an id needs no `createdAt`. */
export const timeOf = (id: string): Date => new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16))
