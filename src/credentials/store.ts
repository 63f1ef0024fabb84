import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import type { StoredPassword } from './hashing.ts'

type CredentialDocument = {
  /** The account. */
  _id: UUID
  /** Raised by every change of password: what verified an older one must not go on with it. */
  version: number
  password: StoredPassword
  /** The password was given out by an operator: good for one login before this time, and for choosing another. */
  oneTime?: OneTime
  lastLoginAt: Date
  /** Raised by every login: to set a field to what it is would be no write, and conflict with nothing. */
  logins: number
}

type OneTime = { until: Date; used: boolean }

/** A credential as a login sees it. */
export type Credential = { version: number; password: StoredPassword; oneTime?: OneTime }

/** Whether a password that was given out for one login has had it, or was not used in time. */
export const isSpent = ({ oneTime }: Credential): boolean =>
  oneTime !== undefined && (oneTime.used || oneTime.until <= new Date())

/** For the start, which looks up the peppers in use. */
export const credentialIndexes = [{ key: { 'password.pepper': 1 } }] as const

/** Keeps password hashes, apart from accounts: no other collection holds them and no other store reads this one. */
export function credentialStore(db: Db) {
  const credentials: Collection<CredentialDocument> = db.collection('credentials')
  return {
    /** Stores the first password of an account, which logs in with it. */
    async create(account: string, password: StoredPassword, at: Date, session: ClientSession): Promise<Credential> {
      const credential = { version: 1, password }
      await credentials.insertOne({ _id: toUuid(account), ...credential, lastLoginAt: at, logins: 1 }, { session })
      return credential
    },

    /** What a login is checked against; null for no account. */
    find(account: string): Promise<Credential | null> {
      const projection = { _id: 0, version: 1, password: 1, oneTime: 1 }
      return credentials.findOne<Credential>({ _id: toUuid(account) }, { projection })
    },

    /** When somebody last logged in; undefined for no account. */
    async lastLoginAt(account: string): Promise<Date | undefined> {
      return (await credentials.findOne({ _id: toUuid(account) }, { projection: { lastLoginAt: 1 } }))?.lastLoginAt
    },

    /**
     * Notes a login, and a new hash of the same password if one was made, unless the password was changed or spent
     * meanwhile. It writes in any case, so that a login and a change of password conflict and one sees the other.
     */
    async noteLogin(
      account: string,
      { version, oneTime }: Credential,
      { at, rehashed }: { at: Date; rehashed: StoredPassword | undefined },
      session: ClientSession,
    ): Promise<boolean> {
      const { matchedCount } = await credentials.updateOne(
        { _id: toUuid(account), version, ...(oneTime && { 'oneTime.used': false }) },
        {
          $set: { lastLoginAt: at, ...(rehashed && { password: rehashed }), ...(oneTime && { 'oneTime.used': true }) },
          $inc: { logins: 1 },
        },
        { session },
      )
      return matchedCount === 1
    },

    /** Stores another password, unless it was changed meanwhile by somebody who knew the same. */
    async change(account: string, version: number, password: StoredPassword, session: ClientSession): Promise<boolean> {
      const { matchedCount } = await credentials.updateOne(
        { _id: toUuid(account), version },
        { $set: { password }, $inc: { version: 1 }, $unset: { oneTime: '' } },
        { session },
      )
      return matchedCount === 1
    },

    /** Removes an account's password: nobody logs in any more. */
    async remove(account: string, session: ClientSession): Promise<void> {
      await credentials.deleteOne({ _id: toUuid(account) }, { session })
    },

    /** Stores a password that is good for one login, whatever it was before. */
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
