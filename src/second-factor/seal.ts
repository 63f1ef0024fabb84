import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { Binary } from 'mongodb'
import { Problem } from '../http/problems.ts'
import type { TotpKey } from '../secrets/totp-keys.ts'

/** A secret as the database holds it. @property key - the id of the key. @property text - encrypted, with its tag */
export type SealedSecret = { key: string; nonce: Binary; text: Binary }

const algorithm = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16

const keyOf = ({ secret }: TotpKey): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, '', 'rookery TOTP secrets v1', 32))

/** Encrypts and authenticates a secret (NIST SP 800-38D). As additional data, the account: another one's is no secret. */
export function seal(secret: Uint8Array, account: string, key: TotpKey): SealedSecret {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv(algorithm, keyOf(key), nonce, { authTagLength: tagBytes })
  cipher.setAAD(Buffer.from(account))
  const text = Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()])
  return { key: key.id, nonce: new Binary(nonce), text: new Binary(text) }
}

/** @throws Problem `overloaded` if this process lacks the key; Error if what is stored was changed */
export function unseal({ key: id, nonce, text }: SealedSecret, account: string, keys: readonly TotpKey[]): Buffer {
  const key = keys.find((configured) => configured.id === id)
  if (!key) throw keyMissing(id)
  const decipher = createDecipheriv(algorithm, keyOf(key), nonce.buffer, { authTagLength: tagBytes })
  decipher.setAAD(Buffer.from(account))
  decipher.setAuthTag(text.buffer.subarray(-tagBytes))
  return Buffer.concat([decipher.update(text.buffer.subarray(0, -tagBytes)), decipher.final()])
}

/** Not 401: the code may be right, and the attempt would count as a failure. */
const keyMissing = (id: string) =>
  new Problem('overloaded', 'This code cannot be checked at the moment: try again shortly, or use a recovery code.', {
    headers: { 'retry-after': '5' },
    cause: new Error(`TOTP_KEYS lacks ${id}, which a secret was encrypted with`),
  })
