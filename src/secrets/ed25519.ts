import { createPrivateKey, createPublicKey } from 'node:crypto'
import type { Ed25519Key } from './key-ring.ts'

const kind = { kty: 'OKP', crv: 'Ed25519' } as const

export const publicJwk = ({ x }: Pick<Ed25519Key, 'x'>) => ({ ...kind, x })

/** Node takes the public part from `d` and ignores `x`, so that a wrong one would go unnoticed. */
const privateKeyOf = (d: string) => createPrivateKey({ key: { ...kind, x: d, d }, format: 'jwk' })

export const publicPartOf = (d: string): string => createPublicKey(privateKeyOf(d)).export({ format: 'jwk' }).x ?? ''

export const toPrivatePem = (d: string): string => privateKeyOf(d).export({ type: 'pkcs8', format: 'pem' }).toString()

export const toPublicPem = (x: string): string =>
  createPublicKey({ key: publicJwk({ x }), format: 'jwk' })
    .export({ type: 'spki', format: 'pem' })
    .toString()
