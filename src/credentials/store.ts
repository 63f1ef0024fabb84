import type { Binary, ClientSession, Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import { batchRead } from '../database/turn-reads.ts'
import type { StoredPassword } from './hashing.ts'

type CredentialDocument = {
  _id: UUID
  /** Incremented by every password change: a verification of an older password must not take effect. */
  version: number
  password: StoredPassword
  /** Present if an operator issued the password: it permits one login, and choosing another password. */
  oneTime?: OneTime
  /** Set by an operator: no login succeeds. */
  suspendedAt?: Date
  lastLoginAt: Date
  /** Incremented by each login and what must conflict with it: setting a field to its current value writes nothing. */
  revision: number
}

/** @property digest - see one-time-password.ts; absent if an earlier version issued the password */
type OneTime = { until: Date; used: boolean; digest?: Binary }

/** A credential as it was read: as long as its revision is the same, the account has no later login. */
export type FoundCredential = Credential & { revision: number }

export type Credential = { version: number; password: StoredPassword; oneTime?: OneTime; suspendedAt?: Date }

export const isSpent = ({ oneTime }: Pick<Credential, 'oneTime'>): boolean =>
  oneTime !== undefined && (oneTime.used || oneTime.until <= new Date())

export const isSuspended = ({ suspendedAt }: Credential): boolean => suspendedAt !== undefined

export const credentialIndexes = [{ key: { 'password.pepper': 1 } }] as const

export function credentialStore(db: Db) {
  const credentials: Collection<CredentialDocument> = db.collection('credentials')
  const find = batchRead<FoundCredential & { _id: UUID }, FoundCredential>(db, {
    collection: 'credentials',
    filter: (ids) => ({ _id: { $in: ids.map(toUuid) } }),
    projection: { version: 1, revision: 1, password: 1, oneTime: 1, suspendedAt: 1 },
    toEntry: ({ _id, ...credential }) => [_id.toString(), credential],
  })
  return {
    find,

    async create(account: string, password: StoredPassword, at: Date, session: ClientSession): Promise<Credential> {
      const credential = { version: 1, password }
      await credentials.insertOne({ _id: toUuid(account), ...credential, lastLoginAt: at, revision: 1 }, { session })
      return credential
    },

    async version(account: string, session: ClientSession): Promise<number | undefined> {
      return (await credentials.findOne({ _id: toUuid(account) }, { session, projection: { version: 1 } }))?.version
    },

    async lastLoginAt(account: string): Promise<Date | undefined> {
      return (await credentials.findOne({ _id: toUuid(account) }, { projection: { lastLoginAt: 1 } }))?.lastLoginAt
    },

    /**
     * Unless the credential has changed since it was verified. Always writes, so that a concurrent change conflicts.
     * @returns with its revision before
     */
    async recordLogin(
      account: string,
      { version, oneTime }: Pick<Credential, 'version' | 'oneTime'>,
      { at, rehashed }: { at: Date; rehashed: StoredPassword | undefined },
      session: ClientSession,
    ): Promise<{ outcome: 'recorded'; revision: number } | { outcome: 'changed' }> {
      const before = await credentials.findOneAndUpdate(
        { _id: toUuid(account), version, suspendedAt: { $exists: false }, ...(oneTime && { 'oneTime.used': false }) },
        {
          $set: { lastLoginAt: at, ...(rehashed && { password: rehashed }), ...(oneTime && { 'oneTime.used': true }) },
          $inc: { revision: 1 },
        },
        { session, projection: { revision: 1 } },
      )
      return before ? { outcome: 'recorded', revision: before.revision } : { outcome: 'changed' }
    },

    /** For a login that needs a second step. Nothing if the password has changed since. */
    async rehash(account: string, version: number, password: StoredPassword): Promise<void> {
      await credentials.updateOne({ _id: toUuid(account), version }, { $set: { password }, $inc: { revision: 1 } })
    },

    /** Makes the transaction conflict with every login of the account. */
    async touch(account: string, session: ClientSession): Promise<{ outcome: 'touched' | 'not-found' }> {
      const raise = { $inc: { revision: 1 } }
      const { matchedCount } = await credentials.updateOne({ _id: toUuid(account) }, raise, { session })
      return { outcome: matchedCount === 1 ? 'touched' : 'not-found' }
    },

    /** What was proven with the password before, such as the first step of a login, serves no more. */
    async raiseVersion(account: string, session: ClientSession): Promise<{ outcome: 'raised' | 'not-found' }> {
      const raise = { $inc: { version: 1, revision: 1 } }
      const { matchedCount } = await credentials.updateOne({ _id: toUuid(account) }, raise, { session })
      return { outcome: matchedCount === 1 ? 'raised' : 'not-found' }
    },

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

    /** Keeps the time of the first suspension. */
    async suspend(
      account: string,
      at: Date,
      session: ClientSession,
    ): Promise<{ outcome: 'suspended' | 'already-suspended' | 'not-found' }> {
      const _id = toUuid(account)
      const absent = { suspendedAt: { $exists: false } }
      const set = { $set: { suspendedAt: at }, $inc: { revision: 1 } }
      const { matchedCount } = await credentials.updateOne({ _id, ...absent }, set, { session })
      if (matchedCount === 1) return { outcome: 'suspended' }
      const touched = await credentials.updateOne({ _id }, { $inc: { revision: 1 } }, { session })
      return { outcome: touched.matchedCount === 1 ? 'already-suspended' : 'not-found' }
    },

    async unsuspend(account: string): Promise<{ outcome: 'unsuspended' | 'not-suspended' }> {
      const suspended = { _id: toUuid(account), suspendedAt: { $exists: true } }
      const update = { $unset: { suspendedAt: '' }, $inc: { revision: 1 } } as const
      const { matchedCount } = await credentials.updateOne(suspended, update)
      return { outcome: matchedCount === 1 ? 'unsuspended' : 'not-suspended' }
    },

    async delete(account: string, session: ClientSession): Promise<void> {
      await credentials.deleteOne({ _id: toUuid(account) }, { session })
    },

    async reset(
      account: string,
      password: StoredPassword,
      { until, digest }: { until: Date; digest: Binary },
      session: ClientSession,
    ): Promise<{ outcome: 'reset' | 'not-found' }> {
      const { matchedCount } = await credentials.updateOne(
        { _id: toUuid(account) },
        { $set: { password, oneTime: { until, digest, used: false } }, $inc: { version: 1 } },
        { session },
      )
      return { outcome: matchedCount === 1 ? 'reset' : 'not-found' }
    },
  }
}

export type CredentialStore = ReturnType<typeof credentialStore>
