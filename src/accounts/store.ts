import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { coalesce } from '../database/batch-loader.ts'
import { timeOf, toUuid } from '../database/ids.ts'
import { inOneAnswer } from '../database/single-batch.ts'
import type { Transact } from '../database/transaction.ts'
import { type Counts, type CountsDocument, noCounts } from './counts.ts'
import { Username } from './schema.ts'

type AccountDocument = { _id: UUID; username: string; displayName: string; bio: string }

/**
 * `_id` is the lower-case name: that makes it unique whatever the case, and local to a shard. The name of an account
 * that was removed is nobody's for a while.
 */
type UsernameDocument = { _id: string } & ({ account: UUID } | { heldUntil: Date })

export const usernameIndexes = [{ key: { heldUntil: 1 }, expireAfterSeconds: 0 }] as const

/** A day in milliseconds. */
const day = 86_400_000

export type Account = {
  id: string
  username: string
  displayName: string
  bio: string
  createdAt: Date
  counts: Counts
}
export type Author = { id: string; username: string; displayName: string }

/** Keeps accounts, their names and their counts. */
export function accountStore(db: Db, transact: Transact) {
  const accounts: Collection<AccountDocument> = db.collection('accounts')
  const usernames: Collection<UsernameDocument> = db.collection('usernames')
  const counts: Collection<CountsDocument> = db.collection('accountCounts')

  const profileOf = coalesce<AccountDocument>(async (ids) => {
    const found = await accounts.find({ _id: { $in: ids.map(toUuid) } }, inOneAnswer(ids.length)).toArray()
    return new Map(found.map((account) => [account._id.toString(), account]))
  })

  const countsOf = coalesce<Counts>(async (ids) => {
    const found = await counts.find({ _id: { $in: ids.map(toUuid) } }, inOneAnswer(ids.length)).toArray()
    return new Map(found.map(({ _id, ...counts }) => [_id.toString(), counts]))
  })

  const nameOf = coalesce<UsernameDocument>(async (names) => {
    const found = await usernames.find({ _id: { $in: [...names] } }, inOneAnswer(names.length)).toArray()
    return new Map(found.map((name) => [name._id, name]))
  })

  async function find(name: string): Promise<UsernameDocument | undefined> {
    // toLowerCase() makes a k of the Kelvin sign: what is no username must not become one.
    return Username.safeParse(name).success ? nameOf(name.toLowerCase()) : undefined
  }

  function toAccount({ _id, ...profile }: AccountDocument, counts: Counts | undefined): Account {
    const id = _id.toString()
    return { id, ...profile, createdAt: timeOf(id), counts: counts ?? noCounts }
  }

  return {
    /** @throws MongoServerError 11000 when the name is taken. */
    async create(
      id: string,
      profile: { username: string; displayName: string; bio: string },
      session: ClientSession,
    ): Promise<Account> {
      const _id = toUuid(id)
      const name = profile.username.toLowerCase()
      // MongoDB removes what is over when it gets to it.
      await usernames.deleteOne({ _id: name, heldUntil: { $lte: new Date() } }, { session })
      await usernames.insertOne({ _id: name, account: _id }, { session })
      await accounts.insertOne({ _id, ...profile }, { session })
      await counts.insertOne({ _id, ...noCounts }, { session })
      return { id, ...profile, createdAt: timeOf(id), counts: noCounts }
    },

    /** The id behind a name, whatever its case. */
    async idOf(username: string): Promise<string | undefined> {
      const name = await find(username)
      return name && 'account' in name ? name.account.toString() : undefined
    },

    /** Whether nobody else may take a name now: somebody has it, or had it until lately. */
    async isTaken(username: string): Promise<boolean> {
      const name = await find(username)
      return name !== undefined && ('account' in name || name.heldUntil > new Date())
    },

    /**
     * Removes an account: it is not found any more, by its id or its name.
     * @param holdDays - for how many days nobody is given the name.
     */
    async remove(id: string, holdDays: number, session: ClientSession): Promise<boolean> {
      const _id = toUuid(id)
      const removed = await accounts.findOneAndDelete({ _id }, { session })
      if (!removed) return false
      await counts.deleteOne({ _id }, { session })
      const name = { _id: removed.username.toLowerCase() }
      if (holdDays === 0) await usernames.deleteOne(name, { session })
      else await usernames.replaceOne(name, { heldUntil: new Date(Date.now() + holdDays * day) }, { session })
      return true
    },

    async find(id: string): Promise<Account | undefined> {
      const [profile, counts] = await Promise.all([profileOf(id), countsOf(id)])
      return profile && toAccount(profile, counts)
    },

    async update(id: string, change: { displayName?: string; bio?: string }): Promise<Account | undefined> {
      const changed = await transact((session) =>
        accounts.findOneAndUpdate({ _id: toUuid(id) }, { $set: change }, { session, returnDocument: 'after' }),
      )
      return changed ? toAccount(changed, await countsOf(id)) : undefined
    },

    /** The name that stands beside a post or a reaction, as it is now. */
    async author(id: string): Promise<Author | undefined> {
      const profile = await profileOf(id)
      return profile && { id, username: profile.username, displayName: profile.displayName }
    },
  }
}

export type AccountStore = ReturnType<typeof accountStore>
