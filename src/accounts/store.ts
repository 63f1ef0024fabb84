import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { timeOf, toUuid } from '../database/ids.ts'
import type { Transact } from '../database/transaction.ts'
import { batchRead } from '../database/turn-reads.ts'
import { type Counts, type CountsDocument, noCounts } from './counts.ts'
import { Username } from './schema.ts'

type AccountDocument = {
  _id: UUID
  username: string
  displayName: string
  bio: string
  /** Incremented by every edit: an edit to the present values must conflict with one whose commit is late. */
  revision?: number
}

/** `_id` is the lower-case name: unique in any case, and local to a shard. A deleted account's name can be held. */
type UsernameDocument = { _id: string } & ({ account: UUID } | { heldUntil: Date })

export const usernameIndexes = [{ key: { heldUntil: 1 }, expireAfterSeconds: 0 }] as const

const dayMs = 86_400_000

export type Account = {
  id: string
  username: string
  displayName: string
  bio: string
  createdAt: Date
  counts: Counts
}
/** An account without its counts. */
export type Profile = Readonly<AccountDocument>
export type Author = { id: string; username: string; displayName: string }

export function accountStore(db: Db, transact: Transact) {
  const accounts: Collection<AccountDocument> = db.collection('accounts')
  const usernames: Collection<UsernameDocument> = db.collection('usernames')
  const counts: Collection<CountsDocument> = db.collection('accountCounts')

  const profileOf = batchRead<AccountDocument, AccountDocument>(db, {
    collection: 'accounts',
    filter: (ids) => ({ _id: { $in: ids.map(toUuid) } }),
    toEntry: (account) => [account._id.toString(), account],
  })

  const countsOf = batchRead<CountsDocument, Counts>(db, {
    collection: 'accountCounts',
    filter: (ids) => ({ _id: { $in: ids.map(toUuid) } }),
    toEntry: ({ _id, revision: _, ...counts }) => [_id.toString(), counts],
  })

  const nameOf = batchRead<UsernameDocument, UsernameDocument>(db, {
    collection: 'usernames',
    filter: (names) => ({ _id: { $in: [...names] } }),
    toEntry: (name) => [name._id, name],
  })

  async function find(name: string): Promise<UsernameDocument | undefined> {
    // Checked first: toLowerCase() turns the Kelvin sign, which no username may hold, into a k.
    return Username.safeParse(name).success ? nameOf(name.toLowerCase()) : undefined
  }

  function toAccount({ _id, revision: _, ...profile }: AccountDocument, counts: Counts | undefined): Account {
    const id = _id.toString()
    return { id, ...profile, createdAt: timeOf(id), counts: counts ?? noCounts }
  }

  return {
    /** @throws MongoServerError 11000 when the username is taken. */
    async create(
      id: string,
      profile: { username: string; displayName: string; bio: string },
      session: ClientSession,
    ): Promise<Account> {
      const _id = toUuid(id)
      const name = profile.username.toLowerCase()
      // MongoDB's TTL may not have deleted an expired hold yet.
      await usernames.deleteOne({ _id: name, heldUntil: { $lte: new Date() } }, { session })
      await usernames.insertOne({ _id: name, account: _id }, { session })
      await accounts.insertOne({ _id, ...profile }, { session })
      await counts.insertOne({ _id, ...noCounts }, { session })
      return { id, ...profile, createdAt: timeOf(id), counts: noCounts }
    },

    async idOf(username: string): Promise<string | undefined> {
      const name = await find(username)
      return name && 'account' in name ? name.account.toString() : undefined
    },

    async isTaken(username: string): Promise<boolean> {
      const name = await find(username)
      return name !== undefined && ('account' in name || name.heldUntil > new Date())
    },

    /** @param holdDays - during which the username cannot be taken */
    async delete(id: string, holdDays: number, session: ClientSession): Promise<{ outcome: 'deleted' | 'not-found' }> {
      const _id = toUuid(id)
      const deleted = await accounts.findOneAndDelete({ _id }, { session })
      if (!deleted) return { outcome: 'not-found' }
      await counts.deleteOne({ _id }, { session })
      const name = { _id: deleted.username.toLowerCase() }
      if (holdDays === 0) await usernames.deleteOne(name, { session })
      else await usernames.replaceOne(name, { heldUntil: new Date(Date.now() + holdDays * dayMs) }, { session })
      return { outcome: 'deleted' }
    },

    async find(id: string): Promise<Account | undefined> {
      const [profile, counts] = await Promise.all([profileOf(id), countsOf(id)])
      return profile && toAccount(profile, counts)
    },

    async update(
      id: string,
      change: { displayName?: string; bio?: string },
      deadline?: number,
    ): Promise<{ outcome: 'updated'; profile: Profile } | { outcome: 'not-found' }> {
      const update = { $set: change, $inc: { revision: 1 } }
      const changed = await transact(
        (session) => accounts.findOneAndUpdate({ _id: toUuid(id) }, update, { session, returnDocument: 'after' }),
        deadline,
      )
      if (!changed) return { outcome: 'not-found' }
      return { outcome: 'updated', profile: changed }
    },

    /** Apart from `update`: what is written stays written if this read fails. */
    complete: async (profile: Profile): Promise<Account> => toAccount(profile, await countsOf(profile._id.toString())),

    async author(id: string): Promise<Author | undefined> {
      const profile = await profileOf(id)
      return profile && { id, username: profile.username, displayName: profile.displayName }
    },
  }
}

export type AccountStore = ReturnType<typeof accountStore>
