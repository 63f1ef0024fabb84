import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { timeOf, toUuid } from '../database/ids.ts'
import type { Transact } from '../database/transaction.ts'
import { Username } from './schema.ts'

type AccountDocument = { _id: UUID; username: string; displayName: string; bio: string }

/** `_id` is the lower-case name: that makes it unique whatever the case, and local to a shard. */
type UsernameDocument = { _id: string; account: UUID }

/** Apart from the accounts, because posts and follows write them all the time. */
type CountsDocument = { _id: UUID; posts: number; followers: number; following: number }

export type Counts = { posts: number; followers: number; following: number }
export type Account = {
  id: string
  username: string
  displayName: string
  bio: string
  createdAt: Date
  counts: Counts
}
export type Author = { id: string; username: string; displayName: string }

const none: Counts = { posts: 0, followers: 0, following: 0 }

/** Keeps accounts, their names and their counts. */
export function accountStore(db: Db, transact: Transact) {
  const accounts: Collection<AccountDocument> = db.collection('accounts')
  const usernames: Collection<UsernameDocument> = db.collection('usernames')
  const counts: Collection<CountsDocument> = db.collection('accountCounts')

  async function withCounts(document: AccountDocument | null): Promise<Account | undefined> {
    if (!document) return undefined
    const { _id, ...profile } = document
    const counted = await counts.findOne({ _id }, { projection: { _id: 0 } })
    const id = _id.toString()
    return { id, ...profile, createdAt: timeOf(id), counts: counted ?? none }
  }

  return {
    /** @throws MongoServerError 11000 when the name is taken. */
    async create(
      id: string,
      profile: { username: string; displayName: string; bio: string },
      session: ClientSession,
    ): Promise<Account> {
      const _id = toUuid(id)
      await usernames.insertOne({ _id: profile.username.toLowerCase(), account: _id }, { session })
      await accounts.insertOne({ _id, ...profile }, { session })
      await counts.insertOne({ _id, ...none }, { session })
      return { id, ...profile, createdAt: timeOf(id), counts: none }
    },

    /** The id behind a name, whatever its case. */
    async idOf(username: string): Promise<string | undefined> {
      // toLowerCase() makes a k of the Kelvin sign: what is no username must not become one.
      if (!Username.safeParse(username).success) return undefined
      return (await usernames.findOne({ _id: username.toLowerCase() }))?.account.toString()
    },

    async find(id: string): Promise<Account | undefined> {
      return withCounts(await accounts.findOne({ _id: toUuid(id) }))
    },

    async update(id: string, change: { displayName?: string; bio?: string }): Promise<Account | undefined> {
      return withCounts(
        await transact((session) =>
          accounts.findOneAndUpdate({ _id: toUuid(id) }, { $set: change }, { session, returnDocument: 'after' }),
        ),
      )
    },

    /** The names that stand beside posts and reactions, as they are now. */
    async authors(ids: readonly string[]): Promise<Map<string, Author>> {
      const distinct = [...new Set(ids)].map(toUuid)
      const found = await accounts.find({ _id: { $in: distinct } }, { projection: { bio: 0 } }).toArray()
      return new Map(
        found.map(({ _id, username, displayName }) => [_id.toString(), { id: _id.toString(), username, displayName }]),
      )
    },

    /** Adds to how many posts an account has, inside the transaction that writes the post. */
    async addPosts(id: string, difference: 1 | -1, session: ClientSession): Promise<void> {
      await counts.updateOne({ _id: toUuid(id) }, { $inc: { posts: difference } }, { session })
    },
  }
}

export type AccountStore = ReturnType<typeof accountStore>
