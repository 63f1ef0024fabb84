import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { StartError } from '../start-error.ts'
import { publicJwk } from './ed25519.ts'
import { byAge, canSign, type KeyRing, type SignKey, signingKey } from './key-ring.ts'

export type Algorithm = SignKey['algorithm']

/** `next` signs from its time on; `retirable` has no valid token any more. */
export type KeyState = 'signs' | 'next' | 'verifies' | 'retirable'

/** Its kid is the day and random, so that it is new in every ring and reveals nothing about the key. */
export function generateKey(algorithm: Algorithm, signFrom: Date): SignKey {
  const kid = `${new Date().toISOString().slice(0, 10)}-${randomBytes(4).toString('hex')}`
  if (algorithm === 'HS256') return { kid, signFrom, algorithm, secret: randomBytes(32).toString('hex') }
  const { x = '', d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  return { kid, signFrom, algorithm, x, d }
}

/** Adds a key, by default of the newest one's algorithm. @throws StartError for a ring of public keys */
export function rotate(ring: KeyRing, signFrom: Date, algorithm?: Algorithm): { ring: KeyRing; added: SignKey } {
  const newest = byAge(ring.filter(canSign)).at(-1)
  if (newest === undefined)
    throw new StartError('The ring has no key that signs: rotate the ring with the private keys.')
  const added = generateKey(algorithm ?? newest.algorithm, signFrom)
  return { ring: [...ring, added], added }
}

/** When a newer key has begun to sign. In a ring of public keys, each is taken to sign from its time on. */
function supersededAt(key: SignKey, ring: KeyRing): Date | undefined {
  const signers = ring.some(canSign) ? ring.filter((other) => canSign(other) || other === key) : ring
  const ordered = byAge(signers)
  return ordered[ordered.indexOf(key) + 1]?.signFrom
}

/** @param tokenLifeSeconds - how long after the last signature a token may be valid */
export function stateOf(key: SignKey, ring: KeyRing, now: Date, tokenLifeSeconds: number): KeyState {
  if (key === signingKey(ring, now)) return 'signs'
  if (key.signFrom > now) return 'next'
  const superseded = supersededAt(key, ring)
  const isOver = superseded !== undefined && now.getTime() - superseded.getTime() > tokenLifeSeconds * 1_000
  return isOver ? 'retirable' : 'verifies'
}

export const retire = (ring: KeyRing, now: Date, tokenLifeSeconds: number): KeyRing =>
  ring.filter((key) => stateOf(key, ring, now, tokenLifeSeconds) !== 'retirable')

/** Removes a key, and with it its tokens' validity. @throws StartError if it is not there, or no other key signs */
export function remove(ring: KeyRing, kid: string, now: Date): KeyRing {
  const rest = ring.filter((key) => key.kid !== kid)
  if (rest.length === ring.length) throw new StartError('The ring has no key with this kid: see npm run keys -- list.')
  if (rest.length === 0) throw new StartError(`The key ${kid} is the only one of the ring: add another one first.`)
  if (signingKey(ring, now) !== undefined && signingKey(rest, now) === undefined)
    throw new StartError(`The key ${kid} is the only one that signs: npm run keys -- rotate --in 0 adds another.`)
  return rest
}

/** @throws StartError if the ring has a symmetric key, which has no public part */
export function toPublicRing(ring: KeyRing): KeyRing {
  return ring.map((key) => {
    if (key.algorithm === 'EdDSA') return { ...key, d: undefined }
    throw new StartError(
      `The key ${key.kid} is symmetric and has no public part: npm run keys -- rotate --algorithm EdDSA replaces it, and retire removes it.`,
    )
  })
}

/** Writes a ring as JWT_SIGN_KEYS has it, in one line, so that it fits an environment variable. */
export function serializeKeyRing(ring: KeyRing): string {
  const entries = ring.map((key) => {
    const { kid, signFrom } = key
    return { kid, signFrom, key: key.algorithm === 'HS256' ? key.secret : { ...publicJwk(key), d: key.d } }
  })
  return JSON.stringify(entries)
}
