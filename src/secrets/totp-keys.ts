import { createHash } from 'node:crypto'
import { type NamedSecret, parseNamedSecrets } from './named-secrets.ts'

/** A key that encrypts the secrets of authenticator apps. Its id is stored with each. */
export type TotpKey = NamedSecret

/** The bytes of an AES-256 key. */
const rule = { variable: 'TOTP_KEYS', minBytes: 32 }

export const parseTotpKeys = (text: string, faults: string[]): readonly TotpKey[] =>
  parseNamedSecrets(rule, text, faults)

/** With an id of its own: a database that is restored beside another generated key must not take that one for its own. */
export function generatedTotpKeys(secret: string): string {
  const fingerprint = createHash('sha256').update(`id of a TOTP key: ${secret}`).digest('hex').slice(0, 8)
  return `generated-${fingerprint}:${secret}`
}
