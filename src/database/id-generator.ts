import { randomFillSync } from 'node:crypto'

/** How far ids may be ahead of the clock. */
const maxLeadMs = 1_000
const maxCounter = 2 ** 26 - 1
const randomBytes = 6
const blockBytes = 1_024 * randomBytes

/**
 * UUIDv7 (RFC 9562, 5.7): milliseconds, a counter of 26 bits that starts at 25 random ones (6.2, method 1), 48 random
 * bits. Ids ascend while `now` (in ms) moves forwards, or back by less than a second. When it is set back by more, they
 * follow it at once: they stay unique, and are smaller than those from before the change.
 */
export function idGenerator(now: () => number = Date.now): () => string {
  const block = Buffer.alloc(blockBytes)
  let used = blockBytes
  let time = Number.NEGATIVE_INFINITY
  let counter = 0
  let prefix = ''

  function takeRandom(): number {
    if (used === blockBytes) {
      randomFillSync(block)
      used = 0
    }
    const offset = used
    used += randomBytes
    return offset
  }

  function beginMillisecond(next: number): void {
    time = next
    counter = block.readUInt32BE(takeRandom()) >>> 7
    const hex = next.toString(16).padStart(12, '0')
    prefix = `${hex.slice(0, 8)}-${hex.slice(8)}-7`
  }

  return () => {
    const present = now()
    if (present > time || time - present >= maxLeadMs) beginMillisecond(present)
    else if (counter === maxCounter) beginMillisecond(time + 1)
    else counter += 1
    const high = (counter >>> 14).toString(16).padStart(3, '0')
    const low = (0x8000 | (counter & 0x3fff)).toString(16)
    const offset = takeRandom()
    return `${prefix}${high}-${low}-${block.toString('hex', offset, offset + randomBytes)}`
  }
}
