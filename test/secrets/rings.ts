import { generateKeyPairSync, randomBytes } from 'node:crypto'
import type { Ed25519Key, SymmetricKey } from '../../src/secrets/key-ring.ts'

const long = new Date('2026-01-01T00:00:00.000Z')

/** A new private Ed25519 key, which has signed for a long time. */
export function ed25519Key(kid: string, signFrom: Date = long): Ed25519Key & { d: string } {
  const { x = '', d = '' } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  return { kid, signFrom, algorithm: 'EdDSA', x, d }
}

/** A new secret for HS256, which has signed for a long time. */
export const symmetricKey = (kid: string, signFrom: Date = long): SymmetricKey => ({
  kid,
  signFrom,
  algorithm: 'HS256',
  secret: randomBytes(32).toString('hex'),
})

export const publicKey = (key: Ed25519Key): Ed25519Key => ({ ...key, d: undefined })

export const secondsFromNow = (seconds: number): Date => new Date(Date.now() + seconds * 1_000)
