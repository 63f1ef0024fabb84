import type { Binary, UUID } from 'mongodb'

/** What verifies a passkey: the "credential record" of WebAuthn Level 3, 4. */
export type PasskeyRecord = {
  /** The credential id, which the authenticator chose: at most 1,023 bytes. */
  credential: Binary
  /** As a COSE key (RFC 9053). */
  publicKey: Binary
  /** The number of signatures; an authenticator that does not count says 0 each time. */
  counter: number
  /** Whether it can be backed up, which never changes. */
  deviceType: 'singleDevice' | 'multiDevice'
  backedUp: boolean
  transports: string[]
  /** The authenticator's model, as it claims. */
  aaguid: string
}

export type PasskeyDocument = PasskeyRecord & {
  /** A UUIDv7 of the time of the registration. */
  _id: UUID
  account: UUID
  name: string
  lastUsedAt: Date | null
}

/** Ids of credentials are unique within an account: a login names its account, too. */
export const passkeyIndexes = [{ key: { account: 1, credential: 1 }, unique: true }] as const
