import type { Binary, ClientSession, Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import { lifetimesMs } from './link.ts'

/** Absent as long as an account has named no address. It is written with the account, and deleted with it. */
type EmailDocument = {
  /** The account. */
  _id: UUID
  /** Of the account, for its mails. It never changes. */
  username: string
  /** The verified address: the only one that gets more than a link to verify it. */
  address?: string
  verifiedAt?: Date
  /** A new address, until its link is used. */
  pending?: { address: string; hash: Binary; until: Date }
  /** The last link to reset the password, of the credential of this version. */
  reset?: { hash: Binary; version: number; at: Date }
  /** By event: its last notice. */
  noticed?: Record<string, Noticed>
}

/** @property at - when it is due: in the future, it waits. @property mail - in the outbox; absent in earlier versions */
type Noticed = { at: Date; mail?: UUID }

export type Email = { email: string | null; verifiedAt: Date | null; pending: string | null }

/** Of a verified address. @property reset - the last link, which may have expired */
export type Recipient = Pick<EmailDocument, 'username' | 'reset' | 'noticed'> & { address: string }

export type PendingEmail = { username: string; address: string; hash: Binary; until: Date }

/** An account's e-mail address. Several accounts can share one: it identifies none of them. */
export function emailStore(db: Db) {
  const emails: Collection<EmailDocument> = db.collection('emails')
  const validPending = (hash: Binary) => ({ 'pending.hash': hash, 'pending.until': { $gt: new Date() } })
  const validReset = (hash: Binary) => ({
    'reset.hash': hash,
    'reset.at': { $gt: new Date(Date.now() - lifetimesMs.reset) },
  })
  return {
    async find(account: string): Promise<Email> {
      const found = await emails.findOne({ _id: toUuid(account) })
      const { address: email = null, verifiedAt = null, pending } = found ?? {}
      return { email, verifiedAt, pending: pending && pending.until > new Date() ? pending.address : null }
    },

    /** Whether there is an address, verified or not. */
    async isNamed(account: string, transaction: ClientSession): Promise<boolean> {
      return (await emails.findOne({ _id: toUuid(account) }, { session: transaction })) !== null
    },

    /** The transaction must write to what the account's deletion deletes: otherwise the address could outlive it. */
    async setPending(
      account: string,
      { username, ...pending }: PendingEmail,
      transaction: ClientSession,
    ): Promise<void> {
      const update = { $set: { username, pending } }
      await emails.updateOne({ _id: toUuid(account) }, update, { upsert: true, session: transaction })
    },

    /** Whether a link is valid. */
    async isPending(account: string, hash: Binary): Promise<boolean> {
      const filter = { _id: toUuid(account), ...validPending(hash) }
      return (await emails.findOne(filter, { projection: { _id: 1 } })) !== null
    },

    /** The pending address of a link that is valid. */
    async findPending(account: string, hash: Binary, transaction: ClientSession): Promise<string | undefined> {
      const filter = { _id: toUuid(account), ...validPending(hash) }
      return (await emails.findOne(filter, { session: transaction }))?.pending?.address
    },

    /** Replaces the verified address. A link to reset the password that went to the old one is void. */
    async verify(account: string, address: string, at: Date, transaction: ClientSession): Promise<void> {
      await emails.updateOne(
        { _id: toUuid(account) },
        { $set: { address, verifiedAt: at }, $unset: { pending: '', reset: '', noticed: '' } },
        { session: transaction },
      )
    },

    /** With a new password: a thief of the last one may have entered the address, and would reset the new one by mail. */
    async dropPending(account: string, transaction: ClientSession): Promise<void> {
      await emails.updateOne({ _id: toUuid(account) }, { $unset: { pending: '' } }, { session: transaction })
    },

    async delete(account: string, transaction: ClientSession): Promise<void> {
      await emails.deleteOne({ _id: toUuid(account) }, { session: transaction })
    },

    /** Undefined without a verified address. */
    async findRecipient(account: string, transaction: ClientSession): Promise<Recipient | undefined> {
      const found = await emails.findOne({ _id: toUuid(account) }, { session: transaction })
      return found?.address === undefined ? undefined : { ...found, address: found.address }
    },

    /** Always writes, so that a concurrent deletion conflicts. */
    async setNoticed(account: string, event: string, noticed: Noticed, transaction: ClientSession): Promise<void> {
      const update = { $set: { [`noticed.${event}`]: noticed } }
      await emails.updateOne({ _id: toUuid(account) }, update, { session: transaction })
    },

    /** Replaces the link before it. */
    async setReset(
      account: string,
      reset: { hash: Binary; version: number; at: Date },
      transaction: ClientSession,
    ): Promise<void> {
      await emails.updateOne({ _id: toUuid(account) }, { $set: { reset } }, { session: transaction })
    },

    /** @returns the version of the credential that a valid link resets */
    async findReset(account: string, hash: Binary): Promise<number | undefined> {
      return (await emails.findOne({ _id: toUuid(account), ...validReset(hash) }))?.reset?.version
    },

    /** Once, over all processes. */
    async useReset(
      account: string,
      hash: Binary,
      transaction: ClientSession,
    ): Promise<{ outcome: 'used' | 'not-found' }> {
      const filter = { _id: toUuid(account), ...validReset(hash) }
      const { matchedCount } = await emails.updateOne(filter, { $unset: { reset: '' } }, { session: transaction })
      return { outcome: matchedCount === 1 ? 'used' : 'not-found' }
    },
  }
}

export type EmailStore = ReturnType<typeof emailStore>
