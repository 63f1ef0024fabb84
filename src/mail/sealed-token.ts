import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { Binary } from 'mongodb'

const algorithm = 'aes-256-gcm'
const nonceBytes = 12
const tagBytes = 16

const keyOf = (key: Buffer) => createHmac('sha256', key).update('tokens of links in the outbox').digest()

/** Encrypts the token of a link that waits to be sent: a reader of the database could ask for one, and use it. */
export function sealToken(token: string, [key]: readonly Buffer[]): Binary {
  if (!key) throw new Error('no key of the ring can encrypt the token of a link')
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv(algorithm, keyOf(key), nonce, { authTagLength: tagBytes })
  return new Binary(Buffer.concat([nonce, cipher.update(token), cipher.final(), cipher.getAuthTag()]))
}

/** @returns undefined if none of the keys has encrypted it */
export function unsealToken({ buffer }: Binary, keys: readonly Buffer[]): string | undefined {
  for (const key of keys) {
    try {
      const decipher = createDecipheriv(algorithm, keyOf(key), buffer.subarray(0, nonceBytes), {
        authTagLength: tagBytes,
      })
      decipher.setAuthTag(buffer.subarray(-tagBytes))
      const token = decipher.update(buffer.subarray(nonceBytes, -tagBytes))
      return Buffer.concat([token, decipher.final()]).toString()
    } catch {
      // It was another key.
    }
  }
  return undefined
}
