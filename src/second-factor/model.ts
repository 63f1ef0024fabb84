import type { Binary, UUID } from 'mongodb'
import type { SealedSecret } from './seal.ts'

/** `_id` is the account. Apart from the credentials, which every login reads. */
export type SecondFactorDocument = {
  _id: UUID
  totp?: StoredTotp
  /** An enrolment that no code has confirmed yet. */
  pending?: { secret: SealedSecret; until: Date }
  /** Those that are left, as hashes: see recovery-codes.ts. */
  recoveryCodes?: Binary[]
}

/** @property lastStep - the time step of the last code that was used: it, and those before it, serve no more */
export type StoredTotp = { secret: SealedSecret; enrolledAt: Date; lastUsedAt: Date | null; lastStep: number }

export const secondFactorIndexes = [{ key: { 'totp.secret.key': 1 } }] as const
