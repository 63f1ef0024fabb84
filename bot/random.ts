import { createHash } from 'node:crypto'

/** A stream of numbers, each at least 0 and below 1. */
export type Random = () => number

/** The first `length` letters and digits (base 36, at most 24) that belong to these parts. */
export function fingerprint(length: number, ...parts: (string | number)[]): string {
  const digits = BigInt(`0x${digest(parts).toString('hex')}`)
  return digits.toString(36).slice(-length)
}

/**
 * A stream that depends on its parts only, never on time or on another stream (sfc32, Chris Doty-Humphrey's PractRand).
 * Not for secrets.
 */
export function randomStream(...parts: (string | number)[]): Random {
  const bytes = digest(parts)
  let a = bytes.readUInt32LE(0)
  let b = bytes.readUInt32LE(4)
  let c = bytes.readUInt32LE(8)
  let counter = 1
  return () => {
    const sum = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return (sum >>> 0) / 2 ** 32
  }
}

/** A whole number from 0 to `limit` - 1. */
export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit)
}

/** One of `choices`. Throws a RangeError when there is none. */
export function pick<T>(random: Random, choices: readonly T[]): T {
  const choice = choices[below(random, choices.length)]
  if (choice === undefined) throw new RangeError('nothing to pick from')
  return choice
}

function digest(parts: (string | number)[]): Buffer {
  return createHash('sha256').update(JSON.stringify(parts)).digest()
}
