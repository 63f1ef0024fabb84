import { createHmac } from 'node:crypto'

export const kidForm = /^[\w.-]{1,64}$/

type Named = {
  /** The key's id, in the header of each token that it signs. */
  readonly kid: string
  /** The time from which it signs, unless a newer key does. It verifies at any time. */
  readonly signFrom: Date
}

export type SymmetricKey = Named & { readonly algorithm: 'HS256'; readonly secret: string }

/** An Ed25519 key as in its JWK (RFC 8037, 2): without `d`, its private part, it only verifies. */
export type Ed25519Key = Named & { readonly algorithm: 'EdDSA'; readonly x: string; readonly d: string | undefined }

/** Plain data, so that it can be sent to another process. */
export type SignKey = SymmetricKey | Ed25519Key

export type KeyRing = readonly SignKey[]

export type LiveKeys = {
  /** The ring now: another object exactly when it has changed, because verified tokens are cached for each object. */
  current(): KeyRing
  /** Reads the source again, at most once in 10 s, and resolves when the ring may have changed. Never rejects. */
  refresh(): Promise<void>
}

/** The ring of `JWT_SIGN_KEY`. Its kid is the same on every server and reveals nothing about the key. */
export function ringOfOne(secret: string): KeyRing {
  const kid = createHmac('sha256', secret).update('kid').digest('base64url').slice(0, 8)
  return [{ kid, signFrom: new Date(0), algorithm: 'HS256', secret }]
}

export const canSign = (key: SignKey): boolean => key.algorithm === 'HS256' || key.d !== undefined

/** The oldest first; of keys with the same time, the later one in the ring is newer. */
export const byAge = (ring: KeyRing): SignKey[] =>
  ring.toSorted((one, other) => one.signFrom.getTime() - other.signFrom.getTime())

/** How far the clock of the machine that made a ring may be ahead of a server's. */
const clockSkewMs = 60_000

/**
 * @returns the newest key that signs at this time: a secret or a private key whose `signFrom` has passed. If there is none,
 * the oldest whose `signFrom` passes within a minute: after a leak, a ring of one new key must serve at once.
 */
export function signingKey(ring: KeyRing, now: Date): SignKey | undefined {
  const signers = byAge(ring.filter(canSign))
  const passed = signers.findLast(({ signFrom }) => signFrom <= now)
  return passed ?? signers.find(({ signFrom }) => signFrom.getTime() <= now.getTime() + clockSkewMs)
}

export function findSigningFaults(ring: KeyRing, now: Date): string[] {
  if (ring.length === 0) return ['JWT_SIGN_KEYS has no key: npm run keys -- generate prints a ring with one']
  if (!ring.some(canSign)) return ['JWT_SIGN_KEYS has public keys only, which cannot sign: give it the private ones']
  if (signingKey(ring, now) === undefined)
    return ['JWT_SIGN_KEYS has no key that signs now: the signFrom of at least one must have passed']
  return []
}

/** Finds what a server that only verifies must not have: a stolen copy of its ring must not be able to sign. */
export function findVerifyingFaults(ring: KeyRing): string[] {
  const advice = 'give it the ring that npm run keys -- public prints'
  if (ring.length === 0) return [`SERVICES=posts verifies with public keys, and there is none: ${advice}`]
  return ring.filter(canSign).map(({ kid, algorithm }) => {
    const kind = algorithm === 'HS256' ? 'symmetric' : 'private'
    return `SERVICES=posts verifies with public keys only: ${advice} (kid ${kid} is a ${kind} key)`
  })
}
