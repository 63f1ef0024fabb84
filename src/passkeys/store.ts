import { Binary, type ClientSession, type Collection, type Db } from 'mongodb'
import { timeOf, toUuid } from '../database/ids.ts'
import type { Position } from '../http/pages.ts'
import type { PasskeyDocument, PasskeyRecord } from './model.ts'

export type Passkey = Pick<PasskeyDocument, 'name' | 'lastUsedAt' | 'backedUp' | 'deviceType' | 'aaguid'> & {
  id: string
  createdAt: Date
}

/** What a browser needs to find a passkey. */
export type CredentialDescriptor = { id: string; type: 'public-key'; transports: string[] }

/** A signature that a passkey has made, which has been verified. */
export type Assertion = { passkey: PasskeyDocument; counter: number; backedUp: boolean; at: Date }

export type NewPasskey = { id: string; account: string; name: string; record: PasskeyRecord }

export type AddResult = { outcome: 'added'; passkey: Passkey } | { outcome: 'already-added' | 'too-many' }

export const maxPasskeys = 20

export const credentialBytes = (id: string): Binary => new Binary(Buffer.from(id, 'base64url'))

const textOf = (credential: Binary): string => Buffer.from(credential.buffer).toString('base64url')

function toPasskey({ _id, name, lastUsedAt, backedUp, deviceType, aaguid }: PasskeyDocument): Passkey {
  const id = _id.toString()
  return { id, name, createdAt: timeOf(id), lastUsedAt, backedUp, deviceType, aaguid }
}

/** Each account has few: one query reads all of them. */
export function passkeyStore(db: Db) {
  const passkeys: Collection<PasskeyDocument> = db.collection('passkeys')
  const own = (account: string, id: string) => ({ _id: toUuid(id), account: toUuid(account) })

  return {
    /** In a transaction that conflicts with the account's deletion, and with all that adds one to the account. */
    async add({ id, account, name, record }: NewPasskey, transaction: ClientSession): Promise<AddResult> {
      const owner = toUuid(account)
      const options = { session: transaction, projection: { credential: 1 } } as const
      const existing = await passkeys.find({ account: owner }, options).toArray()
      const added = textOf(record.credential)
      if (existing.some(({ credential }) => textOf(credential) === added)) return { outcome: 'already-added' }
      if (existing.length >= maxPasskeys) return { outcome: 'too-many' }
      const document = { _id: toUuid(id), account: owner, name, ...record, lastUsedAt: null }
      await passkeys.insertOne(document, { session: transaction })
      return { outcome: 'added', passkey: toPasskey(document) }
    },

    async list(account: string, { after, limit }: Position): Promise<Passkey[]> {
      const found = await passkeys
        .find({ account: toUuid(account), ...(after && { _id: { $lt: toUuid(after) } }) })
        .sort({ _id: -1 })
        .limit(limit + 1)
        .toArray()
      return found.map(toPasskey)
    },

    async descriptors(account: string): Promise<CredentialDescriptor[]> {
      const projection = { credential: 1, transports: 1 } as const
      const found = await passkeys.find({ account: toUuid(account) }, { projection }).toArray()
      return found.map(({ credential, transports }) => ({ id: textOf(credential), type: 'public-key', transports }))
    },

    /** @param credential - the credential id, in base64url */
    async find(account: string, credential: string): Promise<PasskeyDocument | undefined> {
      const filter = { account: toUuid(account), credential: credentialBytes(credential) }
      return (await passkeys.findOne(filter)) ?? undefined
    },

    /**
     * Compare-and-swap of the counter: of two signatures with one count, one is used. It always writes, so that a concurrent
     * removal conflicts.
     */
    async use(
      { passkey: { _id, account }, counter, backedUp, at }: Assertion,
      transaction: ClientSession,
    ): Promise<{ outcome: 'used' | 'counter-back' | 'not-found' }> {
      const { matchedCount } = await passkeys.updateOne(
        { _id, account, counter: counter === 0 ? 0 : { $lt: counter } },
        { $set: { counter, backedUp, lastUsedAt: at } },
        { session: transaction },
      )
      if (matchedCount === 1) return { outcome: 'used' }
      const exists = await passkeys.findOne({ _id, account }, { session: transaction, projection: { _id: 1 } })
      return { outcome: exists ? 'counter-back' : 'not-found' }
    },

    async rename(
      account: string,
      id: string,
      name: string,
      transaction: ClientSession,
    ): Promise<{ outcome: 'renamed'; passkey: Passkey } | { outcome: 'not-found' }> {
      const options = { session: transaction, returnDocument: 'after' } as const
      const renamed = await passkeys.findOneAndUpdate(own(account, id), { $set: { name } }, options)
      return renamed ? { outcome: 'renamed', passkey: toPasskey(renamed) } : { outcome: 'not-found' }
    },

    async remove(
      account: string,
      id: string,
      transaction: ClientSession,
    ): Promise<{ outcome: 'removed' | 'not-found' }> {
      const { deletedCount } = await passkeys.deleteOne(own(account, id), { session: transaction })
      return { outcome: deletedCount === 1 ? 'removed' : 'not-found' }
    },

    async deleteAll(account: string, transaction: ClientSession): Promise<void> {
      await passkeys.deleteMany({ account: toUuid(account) }, { session: transaction })
    },
  }
}

export type PasskeyStore = ReturnType<typeof passkeyStore>
