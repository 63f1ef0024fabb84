import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import type { StoredPassword } from './hashing.ts'

type CredentialDocument = {
  /** The account's id. */
  _id: UUID
  /** Incremented by every password change: a verification of an older password must not take effect. */
  version: number
  password: StoredPassword
  /** Present if an operator issued the password: it permits one login, and choosing another password. */
  oneTime?: OneTime
  lastLoginAt: Date
  /** Incremented by every login: setting a field to its current value would write, and conflict with, nothing. */
  logins: number
}

type OneTime = { until: Date; used: boolean }

/** A credential as a login sees it. */
export type Credential = { version: number; password: StoredPassword; oneTime?: OneTime }

/** Whether a one-time password was used, or has expired. */
export const isSpent = ({ oneTime }: Credential): boolean =>
  oneTime !== undefined && (oneTime.used || oneTime.until <= new Date())

/** For check-peppers.ts. */
export const credentialIndexes = [{ key: { 'password.pepper': 1 } }] as const

/** Password hashes. No other collection holds them, and no other store reads this one. */
export function credentialStore(db: Db) {
  const credentials: Collection<CredentialDocument> = db.collection('credentials')
  return {
    /** Stores the first password of an account; signing up counts as a login. */
    async create(account: string, password: StoredPassword, at: Date, session: ClientSession): Promise<Credential> {
      const credential = { version: 1, password }
      await credentials.insertOne({ _id: toUuid(account), ...credential, lastLoginAt: at, logins: 1 }, { session })
      return credential
    },

    async find(account: string): Promise<Credential | undefined> {
      const projection = { _id: 0, version: 1, password: 1, oneTime: 1 }
      return (await credentials.findOne<Credential>({ _id: toUuid(account) }, { projection })) ?? undefined
    },

    async lastLoginAt(account: string): Promise<Date | undefined> {
      return (await credentials.findOne({ _id: toUuid(account) }, { projection: { lastLoginAt: 1 } }))?.lastLoginAt
    },

    /**
     * Records a login, and the new hash if the password was rehashed, unless the password has been changed or spent
     * since it was verified. It always writes, so that a login and a password change conflict.
     */
    async recordLogin(
      account: string,
      { version, oneTime }: Credential,
      { at, rehashed }: { at: Date; rehashed: StoredPassword | undefined },
      session: ClientSession,
    ): Promise<{ outcome: 'recorded' | 'changed' }> {
      const { matchedCount } = await credentials.updateOne(
        { _id: toUuid(account), version, ...(oneTime && { 'oneTime.used': false }) },
        {
          $set: { lastLoginAt: at, ...(rehashed && { password: rehashed }), ...(oneTime && { 'oneTime.used': true }) },
          $inc: { logins: 1 },
        },
        { session },
      )
      return { outcome: matchedCount === 1 ? 'recorded' : 'changed' }
    },

    /** Stores a new password, unless the one of this version has been changed already. */
    async change(
      account: string,
      version: number,
      password: StoredPassword,
      session: ClientSession,
    ): Promise<{ outcome: 'stored' | 'changed' }> {
      const { matchedCount } = await credentials.updateOne(
        { _id: toUuid(account), version },
        { $set: { password }, $inc: { version: 1 }, $unset: { oneTime: '' } },
        { session },
      )
      return { outcome: matchedCount === 1 ? 'stored' : 'changed' }
    },

    async delete(account: string, session: ClientSession): Promise<void> {
      await credentials.deleteOne({ _id: toUuid(account) }, { session })
    },

    /** Replaces the password with a one-time password. */
    async reset(account: string, password: StoredPassword, until: Date, session: ClientSession): Promise<void> {
      await credentials.updateOne(
        { _id: toUuid(account) },
        { $set: { password, oneTime: { until, used: false } }, $inc: { version: 1 } },
        { session },
      )
    },
  }
}

export type CredentialStore = ReturnType<typeof credentialStore>
