import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import { batchRead, turnQuery } from '../database/turn-reads.ts'
import type { ClientInfo } from '../http/client-info.ts'
import type { Position } from '../http/pages.ts'
import type { SessionOwner, Viewer } from './access-token.ts'
import { readLastSeen } from './last-seen.ts'
import {
  lifetimesMs,
  maxCheckSeconds,
  notExpired,
  type PublicSession,
  publicFields,
  type Session,
  type SessionDocument,
  toSession,
} from './model.ts'
import { ownerName, ownerNameOf, ownersFilter } from './owner-name.ts'
import { hashPart, newRefreshToken, type RefreshToken } from './refresh-token.ts'
import type { RevocationCache } from './revocation-cache.ts'
import type { SessionOwners } from './session-owners.ts'

/** @property generation - of the access token to issue */
export type IssuedSession = { session: Session; token: RefreshToken; generation: number }

export type EndResult = { outcome: 'ended' | 'not-found' }

export type AttemptResult = { outcome: 'reserved'; id: string } | { outcome: 'busy' | 'exhausted' | 'not-found' }

const maxFailures = 10
const maxSessionsPerAccount = 50
const maxOthers = maxSessionsPerAccount - 1
const newestFirst = { _id: -1 } as const
const collection = 'sessions'

/**
 * Ending a session deletes it, and revokes its access tokens in the same transaction.
 * @param owners - of the process that issues tokens for the sessions which it creates
 */
export function sessionStore(
  db: Db,
  revocations: RevocationCache,
  owners: Pick<SessionOwners, 'remember'> = { remember() {} },
) {
  const sessions: Collection<SessionDocument> = db.collection(collection)
  const own = ({ account, session }: SessionOwner) => ({ _id: toUuid(session), account: toUuid(account) })

  const readPublic = batchRead<PublicSession, PublicSession>(db, {
    collection,
    filter: ownersFilter,
    projection: publicFields,
    toEntry: (session) => [ownerNameOf(session), session],
  })

  const readSeen = (found: readonly { _id: UUID }[]) =>
    readLastSeen(
      db,
      found.map(({ _id }) => _id),
    )

  async function end(account: UUID, ids: readonly UUID[], transaction: ClientSession): Promise<void> {
    if (ids.length === 0) return
    await sessions.deleteMany({ _id: { $in: [...ids] }, account }, { session: transaction })
    await revocations.revoke(ids, transaction)
  }

  const idsOf = async (account: UUID, transaction: ClientSession, skip = 0) => {
    const options = { session: transaction, projection: { _id: 1 } }
    const found = await sessions.find({ account }, options).sort(newestFirst).skip(skip).toArray()
    return found.map(({ _id }) => _id)
  }

  return {
    /** Whether one more ends no other session of the account. */
    async hasRoom(account: string): Promise<boolean> {
      const filter = { account: toUuid(account) }
      const query = { collection, filter, projection: { _id: 1 }, sort: newestFirst, skip: maxOthers, limit: 1 }
      return (await turnQuery(db, { ...query, count: 1 })).length === 0
    },

    /**
     * Creates a session; beyond 50 of an account the oldest end.
     * @param options.hasRoom - whether the account is known to have fewer
     */
    async create(
      account: string,
      { ip, userAgent }: ClientInfo,
      transaction: ClientSession,
      { passwordChangeRequired = false, hasRoom = false } = {},
    ): Promise<IssuedSession> {
      const id = newId()
      const owner = toUuid(account)
      const token = newRefreshToken(owner)
      const now = timeOf(id)
      const document: SessionDocument = {
        _id: toUuid(id),
        account: owner,
        family: hashPart(token.family),
        turn: hashPart(token.turn),
        previousTurn: null,
        step: null,
        refreshedAt: now,
        generation: 0,
        confirmedUntil: null,
        failures: 0,
        ...(passwordChangeRequired && { passwordChangeRequired }),
        endsAt: new Date(now.getTime() + (passwordChangeRequired ? lifetimesMs.oneTime : lifetimesMs.idle)),
        ip,
        userAgent,
      }
      // Before the new one, which is not the newest by its id if the clock was ahead when the others were created.
      if (!hasRoom) await end(owner, await idsOf(owner, transaction, maxOthers), transaction)
      await sessions.insertOne(document, { session: transaction })
      // Even if the transaction fails: no token names the session then.
      owners.remember({ account, session: id }, { passwordChangeRequired })
      return { session: toSession(document), token, generation: 0 }
    },

    /** @param seenAt - when this process last saw it */
    async find(viewer: SessionOwner, seenAt?: Date): Promise<Session | undefined> {
      const found = await readPublic(ownerName(viewer))
      return found && found.endsAt > new Date() ? toSession(found, seenAt) : undefined
    },

    /** By the database's clock, which set the end of the confirmation; for tokens of its generation or a later one. */
    async isConfirmed(viewer: Viewer, transaction?: ClientSession): Promise<boolean> {
      const isCurrent = { $gt: ['$confirmedUntil', '$$NOW'] }
      const isOfToken = { $lte: [{ $ifNull: ['$confirmedGeneration', 0] }, viewer.generation] }
      const filter = { ...own(viewer), $expr: { $and: [isCurrent, isOfToken] } }
      const options = { projection: { _id: 1 }, ...(transaction && { session: transaction }) }
      return (await sessions.findOne(filter, options)) !== null
    },

    /**
     * Of the account's other sessions. Writes each of them, so that a confirmation at the same moment conflicts. Ends a session
     * of a one-time password: it could change the password without a code.
     */
    async endOtherConfirmations({ account, session }: SessionOwner, transaction: ClientSession): Promise<void> {
      const owner = toUuid(account)
      const options = { session: transaction, projection: { _id: 1 } }
      const oneTime = await sessions.find({ account: owner, passwordChangeRequired: true }, options).toArray()
      await end(
        owner,
        oneTime.map(({ _id }) => _id),
        transaction,
      )
      await sessions.updateMany(
        { account: owner, _id: { $ne: toUuid(session) } },
        { $set: { confirmedUntil: null }, $inc: { changes: 1 } },
        { session: transaction },
      )
    },

    /**
     * Before the password is checked: failed attempts and those that are being checked are never more than ten, on
     * whichever servers. `busy` if the outcome of others decides whether there is one left.
     */
    async reserveAttempt(viewer: SessionOwner): Promise<AttemptResult> {
      const id = newId()
      // Its process has exited, and the password may have been wrong.
      const isLost = { $lte: ['$$this.at', { $subtract: ['$$NOW', maxCheckSeconds * 1_000] }] }
      const checking = { $ifNull: ['$checking', []] }
      const lost = { $filter: { input: checking, cond: isLost } }
      const current = { $filter: { input: checking, cond: { $not: [isLost] } } }
      const isFree = { $lt: [{ $add: ['$failures', { $size: '$checking' }] }, maxFailures] }
      const more = { $concatArrays: ['$checking', [{ id, at: '$$NOW' }]] }
      const session = await sessions.findOneAndUpdate(
        { ...own(viewer), ...notExpired() },
        [
          { $set: { failures: { $add: ['$failures', { $size: lost }] }, checking: current } },
          { $set: { checking: { $cond: [isFree, more, '$checking'] } } },
        ],
        { returnDocument: 'after', projection: { failures: 1, checking: 1 } },
      )
      if (!session) return { outcome: 'not-found' }
      if (session.checking?.some((attempt) => attempt.id === id)) return { outcome: 'reserved', id }
      return { outcome: session.failures >= maxFailures ? 'exhausted' : 'busy' }
    },

    /** Releases a reserved attempt whose password was right, or could not be verified. */
    async releaseAttempt(viewer: SessionOwner, id: string): Promise<void> {
      await sessions.updateOne(own(viewer), { $pull: { checking: { id } } })
    },

    /** @returns `exhausted` after the tenth: the session must end */
    async failAttempt(viewer: SessionOwner, id: string): Promise<{ outcome: 'counted' | 'exhausted' }> {
      const counted = await sessions.findOneAndUpdate(
        { ...own(viewer), 'checking.id': id },
        { $pull: { checking: { id } }, $inc: { failures: 1 } },
        { returnDocument: 'after', projection: { failures: 1 } },
      )
      return { outcome: counted && counted.failures >= maxFailures ? 'exhausted' : 'counted' }
    },

    async list(account: string, { after, limit }: Position): Promise<Session[]> {
      const found = await sessions
        .find({ account: toUuid(account), ...notExpired(), ...(after && { _id: { $lt: toUuid(after) } }) })
        .sort({ _id: -1 })
        .limit(limit + 1)
        .toArray()
      const lastSeen = await readSeen(found)
      return found.map((session) => toSession(session, lastSeen.get(session._id.toString())))
    },

    async lastSeenAt(account: string): Promise<Date> {
      const found = await sessions.find({ account: toUuid(account) }, { projection: { refreshedAt: 1 } }).toArray()
      const lastSeen = await readSeen(found)
      const times = [...found.map(({ refreshedAt }) => refreshedAt), ...lastSeen.values()]
      return new Date(Math.max(0, ...times.map((time) => time.getTime())))
    },

    /** For a change that only a live session makes. Always writes, so that a concurrent end of the session conflicts. */
    async touch(viewer: SessionOwner, transaction: ClientSession): Promise<{ outcome: 'touched' | 'not-found' }> {
      const live = { ...own(viewer), ...notExpired() }
      const { matchedCount } = await sessions.updateOne(live, { $inc: { changes: 1 } }, { session: transaction })
      return { outcome: matchedCount === 1 ? 'touched' : 'not-found' }
    },

    async end(viewer: SessionOwner, transaction: ClientSession): Promise<EndResult> {
      const found = await sessions.findOne({ ...own(viewer), ...notExpired() }, { session: transaction })
      if (!found) return { outcome: 'not-found' }
      await end(found.account, [found._id], transaction)
      return { outcome: 'ended' }
    },

    /** The live sessions that tokens name; a refresh token does by its family, whatever its turn. One query at most. */
    async findNamed(viewers: readonly SessionOwner[], tokens: readonly RefreshToken[]): Promise<SessionOwner[]> {
      const named = [
        ...viewers.map(own),
        ...tokens.map(({ account, family }) => ({ account, family: hashPart(family) })),
      ]
      if (named.length === 0) return []
      const found = await sessions.find({ $or: named, ...notExpired() }, { projection: { account: 1 } }).toArray()
      return found.map(({ _id, account }) => ({ account: account.toString(), session: _id.toString() }))
    },

    /**
     * Call it first in a transaction: each refresh of one of these sessions since the transaction's snapshot makes it run again,
     * and a thief with many could refresh without a pause.
     */
    async endAll(
      account: string,
      transaction: ClientSession,
      except?: string,
    ): Promise<{ outcome: 'ended'; count: number }> {
      const owner = toUuid(account)
      const ids = await idsOf(owner, transaction)
      const ended = ids.filter((id) => id.toString() !== except)
      await end(owner, ended, transaction)
      return { outcome: 'ended', count: ended.length }
    },
  }
}

export type SessionStore = ReturnType<typeof sessionStore>
