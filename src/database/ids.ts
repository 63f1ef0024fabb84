import { UUID } from 'mongodb'
import { v7 } from 'uuid'

const poolSize = 4_096
let pool = new Uint8Array(0)
let used = 0

/** 16 random bytes. Asking the system for them each time would cost more than all the rest of an id. */
function randomBytes(): Uint8Array {
  if (used + 16 > pool.length) {
    pool = crypto.getRandomValues(new Uint8Array(poolSize))
    used = 0
  }
  used += 16
  return pool.subarray(used - 16, used)
}

let last = 0
let sequence = 0

/**
 * A new id: UUIDv7 (RFC 9562, 5.7), later than every id this process made before: within a millisecond, or when the
 * clock goes back, it counts on from a random number (6.2, method 1).
 */
export function newId(): string {
  const random = randomBytes()
  const now = Date.now()
  if (now > last) {
    last = now
    // 31 bits: half of them are left to count on.
    sequence = new DataView(random.buffer, random.byteOffset).getUint32(6) >>> 1
  } else if (sequence === 0xffff_ffff) {
    last += 1
    sequence = 0
  } else {
    sequence += 1
  }
  return v7({ random, msecs: last, seq: sequence })
}

/** The form in which MongoDB keeps an id: 16 bytes, which sort as the text does. */
export const toUuid = (id: string): UUID => new UUID(id)

/** No id is lower, and none is higher. */
export const lowestId = new UUID('00000000-0000-0000-0000-000000000000')
export const highestId = new UUID('ffffffff-ffff-ffff-ffff-ffffffffffff')

/** Lower than every id made at that time or later, and higher than all before it. */
export function firstIdOf(time: Date): UUID {
  const milliseconds = Math.max(0, time.getTime()).toString(16).padStart(12, '0')
  return new UUID(`${milliseconds.slice(0, 8)}-${milliseconds.slice(8)}-0000-0000-000000000000`)
}

/** When an id was made, to the millisecond. What has such an id needs no other `createdAt`, and sorts by it. */
export const timeOf = (id: string): Date => new Date(Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16))
