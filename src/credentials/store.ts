import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { toUuid } from '../database/ids.ts'
import type { StoredPassword } from './password.ts'

type CredentialDocument = {
  /** The account. */
  _id: UUID
  /** Raised by every change of password: what verified an older one must not go on with it. */
  version: number
  password: StoredPassword
  lastLoginAt: Date
}

/** A credential as a login sees it. */
export type Credential = { version: number; password: StoredPassword }

/** Keeps password hashes, apart from accounts: no other collection holds them and no other store reads this one. */
export function credentialStore(db: Db) {
  const credentials: Collection<CredentialDocument> = db.collection('credentials')
  return {
    async create(account: string, password: StoredPassword, at: Date, session: ClientSession): Promise<Credential> {
      const credential = { version: 1, password }
      await credentials.insertOne({ _id: toUuid(account), ...credential, lastLoginAt: at }, { session })
      return credential
    },

    find(account: string): Promise<Credential | null> {
      return credentials.findOne({ _id: toUuid(account) }, { projection: { _id: 0, version: 1, password: 1 } })
    },

    /**
     * Notes a login, and a new hash of the same password if one was made, unless the password was changed meanwhile.
     * It writes in any case, so that a login and a change of password conflict and one of them sees the other.
     */
    async noteLogin(
      account: string,
      version: number,
      { at, rehashed }: { at: Date; rehashed: StoredPassword | undefined },
      session: ClientSession,
    ): Promise<boolean> {
      const { matchedCount } = await credentials.updateOne(
        { _id: toUuid(account), version },
        { $set: { lastLoginAt: at, ...(rehashed && { password: rehashed }) } },
        { session },
      )
      return matchedCount === 1
    },
  }
}

export type CredentialStore = ReturnType<typeof credentialStore>
