import { createHash } from 'node:crypto'

/** Returns the next number of a stream, at least 0 and below 1. */
export type Random = () => number

/** Derives `length` lower-case letters and digits (base 36, at most 24) from the parts. */
export function fingerprint(length: number, ...parts: (string | number)[]): string {
  const digits = BigInt(`0x${digest(parts).toString('hex')}`)
  return digits.toString(36).slice(-length)
}

/** A deterministic stream (sfc32, PractRand), not for secrets. Renaming a part changes what every seed does. */
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

/** A random integer from 0 to `limit` - 1. */
export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit)
}

/** A random element. @throws RangeError when there is none */
export function pick<T>(random: Random, choices: readonly T[]): T {
  const choice = choices[below(random, choices.length)]
  if (choice === undefined) throw new RangeError('pick() needs at least one choice')
  return choice
}

function digest(parts: (string | number)[]): Buffer {
  return createHash('sha256').update(JSON.stringify(parts)).digest()
}
