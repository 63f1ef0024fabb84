import type { ClientSession, Collection, Db, UUID } from 'mongodb'
import { coalesce } from '../database/batch-loader.ts'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import { inOneAnswer } from '../database/single-batch.ts'
import type { Client } from '../http/client-info.ts'
import type { Position } from '../http/pages.ts'
import type { Viewer } from './access-token.ts'
import {
  lifetimes,
  live,
  type Session,
  type SessionDocument,
  toSession,
  type VisibleSession,
  visible,
} from './model.ts'
import { hashPart, newRefreshToken, type RefreshToken } from './refresh-token.ts'
import type { Revocations } from './revocation-cache.ts'

/** A session with the refresh token that goes on with it. */
export type Turned = { session: Session; token: RefreshToken }

/** Wrong passwords in one session, and sessions of one account. */
const mostFailures = 10
const mostSessions = 50

/**
 * Keeps sessions; of their refresh tokens only hashes. One that ends is removed, and revoked in the same transaction
 * for as long as its access tokens could go on.
 */
export function sessionStore(db: Db, revocations: Revocations) {
  const sessions: Collection<SessionDocument> = db.collection('sessions')
  const own = ({ account, session }: Viewer) => ({ _id: toUuid(session), account: toUuid(account) })

  const read = coalesce<VisibleSession>(async (ids) => {
    const found = await sessions
      .find<VisibleSession>({ _id: { $in: ids.map(toUuid) } }, { ...inOneAnswer(ids.length), projection: visible })
      .toArray()
    return new Map(found.map((session) => [session._id.toString(), session]))
  })

  async function end(ids: readonly UUID[], transaction: ClientSession): Promise<void> {
    if (ids.length === 0) return
    await sessions.deleteMany({ _id: { $in: [...ids] } }, { session: transaction })
    await revocations.revoke(ids, transaction)
  }

  /** The ids of an account's sessions, newest first. */
  const idsOf = async (account: UUID, transaction: ClientSession, skip = 0) => {
    const options = { session: transaction, projection: { _id: 1 } }
    const found = await sessions.find({ account }, options).sort({ _id: -1 }).skip(skip).toArray()
    return found.map(({ _id }) => _id)
  }

  return {
    /** Begins a session; beyond 50 of an account the oldest end. */
    async create(account: string, { ip, userAgent }: Client, transaction: ClientSession): Promise<Turned> {
      const id = newId()
      const token = newRefreshToken()
      const now = timeOf(id)
      const document: SessionDocument = {
        _id: toUuid(id),
        account: toUuid(account),
        family: hashPart(token.family),
        turn: hashPart(token.turn),
        previousTurn: null,
        step: null,
        refreshedAt: now,
        lastSeenAt: now,
        confirmedUntil: null,
        failures: 0,
        endsAt: new Date(now.getTime() + lifetimes.idle),
        ip,
        userAgent,
      }
      await sessions.insertOne(document, { session: transaction })
      await end(await idsOf(document.account, transaction, mostSessions), transaction)
      return { session: toSession(document), token }
    },

    /** One's own session as it is stored, if it has not ended. */
    async find({ account, session }: Viewer): Promise<Session | undefined> {
      const found = await read(session)
      return found?.account.toString() === account && found.endsAt > new Date() ? toSession(found) : undefined
    },

    /**
     * Takes one of the tries that a session has to give its password, before it is checked: of many at once no more
     * than ten are. A right password gives all of them back.
     * @returns how many are left after it, or undefined when there was none.
     */
    async takeTry(viewer: Viewer): Promise<number | undefined> {
      const taken = await sessions.findOneAndUpdate(
        { ...own(viewer), ...live(), failures: { $lt: mostFailures } },
        { $inc: { failures: 1 } },
        { returnDocument: 'after', projection: { failures: 1 } },
      )
      return taken ? mostFailures - taken.failures : undefined
    },

    /** Gives a try back that came to no answer. */
    async giveTryBack(viewer: Viewer): Promise<void> {
      await sessions.updateOne({ ...own(viewer), failures: { $gt: 0 } }, { $inc: { failures: -1 } })
    },

    /** An account's live sessions, newest first. */
    async list(account: string, { after, limit }: Position): Promise<Session[]> {
      const found = await sessions
        .find({ account: toUuid(account), ...live(), ...(after && { _id: { $lt: toUuid(after) } }) })
        .sort({ _id: -1 })
        .limit(limit + 1)
        .toArray()
      return found.map(toSession)
    },

    /** When an account's live sessions were last used, to the minute. */
    async lastUse(account: string): Promise<Date> {
      const found = await sessions.find({ account: toUuid(account) }, { projection: { lastSeenAt: 1 } }).toArray()
      return new Date(Math.max(0, ...found.map(({ lastSeenAt }) => lastSeenAt.getTime())))
    },

    /** Ends one of an account's sessions; false when it had no live one of that id. */
    async end(viewer: Viewer, transaction: ClientSession): Promise<boolean> {
      const found = await sessions.findOne({ ...own(viewer), ...live() }, { session: transaction })
      if (found) await end([found._id], transaction)
      return found !== null
    },

    /** Ends the session that a refresh token names by its family; tells whose it was. */
    async endByToken({ family }: RefreshToken, transaction: ClientSession): Promise<string | undefined> {
      const found = await sessions.findOne({ family: hashPart(family), ...live() }, { session: transaction })
      if (found) await end([found._id], transaction)
      return found?.account.toString()
    },

    /** Ends all of an account's sessions, but the one that is to stay, and tells how many. */
    async endAll(account: string, transaction: ClientSession, stays?: string): Promise<number> {
      const ids = await idsOf(toUuid(account), transaction)
      const ended = ids.filter((id) => id.toString() !== stays)
      await end(ended, transaction)
      return ended.length
    },
  }
}

export type SessionStore = ReturnType<typeof sessionStore>
