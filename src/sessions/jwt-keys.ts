import type { FastifyJWTOptions } from '@fastify/jwt'
import { toPrivatePem, toPublicPem } from '../secrets/ed25519.ts'
import { canSign, type KeyRing, type SignKey } from '../secrets/key-ring.ts'
import { StartError } from '../start-error.ts'

/** A key in the form that @fastify/jwt takes. */
export type JwtKey = Pick<SignKey, 'kid' | 'algorithm'> & {
  readonly verifyWith: string
  /** Undefined for a public key. */
  readonly signWith: string | undefined
}

export type JwtKeys = ReadonlyMap<string, JwtKey>

function toJwtKey(key: SignKey): JwtKey {
  const { kid, algorithm } = key
  if (key.algorithm === 'HS256') return { kid, algorithm, verifyWith: key.secret, signWith: key.secret }
  const signWith = key.d === undefined ? undefined : toPrivatePem(key.d)
  return { kid, algorithm, verifyWith: toPublicPem(key.x), signWith }
}

export const jwtKeysOf = (ring: KeyRing): JwtKeys => new Map(ring.map((key) => [key.kid, toJwtKey(key)]))

/** Only decides whether @fastify/jwt signs at all: each call names its own key. @throws StartError for an empty ring */
export function registeredSecret(ring: KeyRing): {
  algorithm: SignKey['algorithm']
  secret: FastifyJWTOptions['secret']
} {
  const key = ring.find(canSign) ?? ring[0]
  if (key === undefined) throw new StartError('JWT_SIGN_KEYS has no key.')
  const { algorithm, verifyWith, signWith } = toJwtKey(key)
  return {
    algorithm,
    secret: signWith === undefined ? { public: verifyWith } : { public: verifyWith, private: signWith },
  }
}
