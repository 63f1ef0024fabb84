/** With 24 bits for each key, one unlisted key in 100,000 is reported as listed. */
const bitsPerKey = 24
const bitsSetPerKey = 17

/** FNV-1a with MurmurHash3's finaliser: a tenth of the time of SHA-1, and a forged collision is only another refusal. */
function hash(key: string, seed: number): number {
  let state = seed
  for (let at = 0; at < key.length; at += 1) state = Math.imul(state ^ key.charCodeAt(at), 0x01000193)
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b)
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
  return (state ^ (state >>> 16)) >>> 0
}

/** Double hashing (Kirsch and Mitzenmacher): two hashes make all positions. */
function everyPosition(key: string, bits: number, isMet: (bit: number) => boolean): boolean {
  const first = hash(key, 0x811c9dc5)
  const step = hash(key, 0x9747b28c)
  for (let index = 0; index < bitsSetPerKey; index += 1) if (!isMet((first + index * step) % bits)) return false
  return true
}

export function buildBloomFilter(keys: ReadonlySet<string>): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((keys.size * bitsPerKey) / 8))
  for (const key of keys) {
    everyPosition(key, bytes.length * 8, (bit) => {
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7))
      return true
    })
  }
  return bytes
}

export function bloomFilter(bytes: Uint8Array) {
  const isSet = (bit: number) => ((bytes[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0
  return { has: (key: string): boolean => everyPosition(key, bytes.length * 8, isSet) }
}
