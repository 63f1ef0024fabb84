import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { coalesce } from '../database/coalesced-reads.ts'
import { timeOf, toUuid } from '../database/ids.ts'
import { inOneAnswer } from '../database/queries.ts'
import type { Transact } from '../database/transaction.ts'
import { type Counts, type CountsDocument, noCounts } from './counts.ts'
import { Username } from './schema.ts'

type AccountDocument = { _id: UUID; username: string; displayName: string; bio: string }

/** `_id` is the lower-case name: that makes it unique whatever the case, and local to a shard. */
type UsernameDocument = { _id: string; account: UUID }

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

  const idOf = coalesce<string>(async (names) => {
    const found = await usernames.find({ _id: { $in: [...names] } }, inOneAnswer(names.length)).toArray()
    return new Map(found.map(({ _id, account }) => [_id, account.toString()]))
  })

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
      await usernames.insertOne({ _id: profile.username.toLowerCase(), account: _id }, { session })
      await accounts.insertOne({ _id, ...profile }, { session })
      await counts.insertOne({ _id, ...noCounts }, { session })
      return { id, ...profile, createdAt: timeOf(id), counts: noCounts }
    },

    /** The id behind a name, whatever its case. */
    async idOf(username: string): Promise<string | undefined> {
      // toLowerCase() makes a k of the Kelvin sign: what is no username must not become one.
      if (!Username.safeParse(username).success) return undefined
      return idOf(username.toLowerCase())
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
