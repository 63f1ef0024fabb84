import type { Binary, ClientSession, Collection, Db } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import { turnQuery } from '../database/turn-reads.ts'
import type { TotpKey } from '../secrets/totp-keys.ts'
import type { SecondFactorDocument, StoredTotp } from './model.ts'
import { seal, unseal } from './seal.ts'

const collection = 'secondFactors'
const pendingMs = 600_000

export type SecondFactors = {
  totp: Pick<StoredTotp, 'enrolledAt' | 'lastUsedAt'> | null
  recoveryCodesLeft: number
}

/** @property stored - as it was when the secret was decrypted: a change since then must not be overwritten */
export type OpenTotp = { secret: Buffer; stored: StoredTotp }

/** @property nonce - identifies it */
export type OpenEnrolment = { secret: Buffer; nonce: Binary }

/** @param keys - read at each use: they may change */
export function secondFactorStore(db: Db, keys: () => readonly TotpKey[] = () => []) {
  const factors: Collection<SecondFactorDocument> = db.collection(collection)
  const own = (account: string) => ({ _id: toUuid(account) })
  const enrolled = (account: string) => ({ ...own(account), totp: { $exists: true } })
  const find = (account: string) => factors.findOne(own(account))

  function sealWithFirst(secret: Uint8Array, account: string) {
    const [first] = keys()
    if (!first) throw new Error('TOTP_KEYS has no key')
    return seal(secret, account, first)
  }

  return {
    /** Whether this server can encrypt a secret. */
    canEnrol: (): boolean => keys().length > 0,

    async find(account: string): Promise<SecondFactors> {
      const found = await find(account)
      const { totp, recoveryCodes = [] } = found ?? {}
      return {
        totp: totp ? { enrolledAt: totp.enrolledAt, lastUsedAt: totp.lastUsedAt } : null,
        recoveryCodesLeft: recoveryCodes.length,
      }
    },

    async isEnrolled(account: string): Promise<boolean> {
      const query = { collection, filter: enrolled(account), projection: { _id: 1 }, count: 1 }
      return (await turnQuery(db, query)).length > 0
    },

    /** Replaces an enrolment that is pending; an active one stays until a code confirms the new one. */
    async beginEnrolment(account: string, secret: Uint8Array, transaction: ClientSession): Promise<void> {
      const pending = { secret: sealWithFirst(secret, account), until: new Date(Date.now() + pendingMs) }
      await factors.updateOne(own(account), { $set: { pending } }, { session: transaction, upsert: true })
    },

    async findEnrolment(account: string): Promise<OpenEnrolment | undefined> {
      const { pending } = (await find(account)) ?? {}
      if (!pending || pending.until <= new Date()) return undefined
      return { secret: unseal(pending.secret, account, keys()), nonce: pending.secret.nonce }
    },

    /** @param step - of the code that confirms it: it serves no second time */
    async confirmEnrolment(
      account: string,
      { secret, nonce }: OpenEnrolment,
      { step, recoveryCodes }: { step: number; recoveryCodes: Binary[] },
      transaction: ClientSession,
    ): Promise<{ outcome: 'enrolled' | 'replaced' }> {
      const sealed = sealWithFirst(secret, account)
      const totp: StoredTotp = { secret: sealed, enrolledAt: new Date(), lastUsedAt: null, lastStep: step }
      const { matchedCount } = await factors.updateOne(
        { ...own(account), 'pending.secret.nonce': nonce },
        { $set: { totp, recoveryCodes }, $unset: { pending: '' } },
        { session: transaction },
      )
      return { outcome: matchedCount === 1 ? 'enrolled' : 'replaced' }
    },

    async findTotp(account: string): Promise<OpenTotp | undefined> {
      const { totp } = (await find(account)) ?? {}
      return totp && { secret: unseal(totp.secret, account, keys()), stored: totp }
    },

    /** Compare-and-swap: of several uses of one step, in whichever processes, one succeeds. */
    async useCode(
      account: string,
      { secret, stored }: OpenTotp,
      step: number,
      transaction: ClientSession,
    ): Promise<{ outcome: 'used' | 'refused' }> {
      const isOutdated = stored.secret.key !== keys()[0]?.id
      const { matchedCount } = await factors.updateOne(
        { ...own(account), 'totp.secret.nonce': stored.secret.nonce, 'totp.lastStep': { $lt: step } },
        {
          $set: {
            'totp.lastStep': step,
            'totp.lastUsedAt': new Date(),
            ...(isOutdated && { 'totp.secret': sealWithFirst(secret, account) }),
          },
        },
        { session: transaction },
      )
      return { outcome: matchedCount === 1 ? 'used' : 'refused' }
    },

    async hasRecoveryCode(account: string, digest: Binary): Promise<boolean> {
      const filter = { ...enrolled(account), recoveryCodes: digest }
      return (await factors.findOne(filter, { projection: { _id: 1 } })) !== null
    },

    async useRecoveryCode(
      account: string,
      digest: Binary,
      transaction: ClientSession,
    ): Promise<{ outcome: 'used' | 'refused' }> {
      const { matchedCount } = await factors.updateOne(
        { ...enrolled(account), recoveryCodes: digest },
        { $pull: { recoveryCodes: digest } },
        { session: transaction },
      )
      return { outcome: matchedCount === 1 ? 'used' : 'refused' }
    },

    async replaceRecoveryCodes(
      account: string,
      recoveryCodes: Binary[],
      transaction: ClientSession,
    ): Promise<{ outcome: 'replaced' | 'not-enrolled' }> {
      const set = { $set: { recoveryCodes } }
      const { matchedCount } = await factors.updateOne(enrolled(account), set, { session: transaction })
      return { outcome: matchedCount === 1 ? 'replaced' : 'not-enrolled' }
    },

    /** With the recovery codes, and an enrolment that is pending. */
    async delete(account: string, transaction: ClientSession): Promise<{ outcome: 'removed' | 'not-enrolled' }> {
      const deleted = await factors.findOneAndDelete(own(account), { session: transaction })
      return { outcome: deleted?.totp ? 'removed' : 'not-enrolled' }
    },
  }
}

export type SecondFactorStore = ReturnType<typeof secondFactorStore>
