import type { Binary, ClientSession, Collection, Db, UUID } from 'mongodb'
import { coalesce } from '../database/coalesced-reads.ts'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import { inOneAnswer } from '../database/queries.ts'
import type { Position } from '../http/pages.ts'
import type { Viewer } from './access-token.ts'
import { hashPart, newRefreshToken, newTurn, type RefreshToken } from './refresh-token.ts'

type SessionDocument = {
  _id: UUID
  account: UUID
  /** SHA-256 of the refresh token's parts: its family, the turn that is good now and the one before. */
  family: Binary
  turn: Binary
  previousTurn: Binary | null
  refreshedAt: Date
  lastSeenAt: Date
  confirmedUntil: Date | null
  /** Wrong passwords given inside this session. */
  failures: number
  /** 30 days after the last refresh, 90 after the login: whichever is first. MongoDB removes it then. */
  endsAt: Date
  ip: string
  userAgent: string
}

/** A session as those above the store see it. */
export type Session = {
  id: string
  account: string
  createdAt: Date
  lastSeenAt: Date
  expiresAt: Date
  confirmedUntil: Date | null
  ip: string
  userAgent: string
}

/** A session with the refresh token that goes on with it. */
export type Turned = { session: Session; token: RefreshToken }

/** Where a session comes from. */
export type Origin = { ip: string; userAgent: string }

const day = 86_400_000
/** How old `lastSeenAt` may grow before a request writes it again, in milliseconds. */
const seenEvery = 60_000
const confirmedFor = 600_000
const mostFailures = 10
const mostSessions = 50

export const sessionIndexes = [
  { key: { family: 1 }, unique: true },
  { key: { account: 1, _id: -1 } },
  { key: { endsAt: 1 }, expireAfterSeconds: 0 },
] as const

/** What of a session is shown. Its secrets' hashes and the rest are for those who write it. */
const shown = { account: 1, lastSeenAt: 1, endsAt: 1, confirmedUntil: 1, ip: 1, userAgent: 1 } as const
type SeenSession = Pick<SessionDocument, '_id' | keyof typeof shown>

const endOf = (id: string, refreshedAt: Date) =>
  new Date(Math.min(refreshedAt.getTime() + 30 * day, timeOf(id).getTime() + 90 * day))

const sameBytes = (one: Binary, other: Binary) => Buffer.compare(one.buffer, other.buffer) === 0

function fromDocument({ _id, account, lastSeenAt, endsAt, confirmedUntil, ip, userAgent }: SeenSession): Session {
  const id = _id.toString()
  const confirmed = confirmedUntil !== null && confirmedUntil.getTime() > Date.now() ? confirmedUntil : null
  return {
    id,
    account: account.toString(),
    createdAt: timeOf(id),
    lastSeenAt,
    expiresAt: endsAt,
    confirmedUntil: confirmed,
    ip,
    userAgent,
  }
}

/** Keeps sessions; of their refresh tokens only hashes. */
export function sessionStore(db: Db) {
  const sessions: Collection<SessionDocument> = db.collection('sessions')
  const live = () => ({ endsAt: { $gt: new Date() } })
  const own = ({ account, session }: Viewer) => ({ _id: toUuid(session), account: toUuid(account) })

  const find = coalesce<SeenSession>(async (ids) => {
    const found = await sessions
      .find<SeenSession>({ _id: { $in: ids.map(toUuid) } }, { ...inOneAnswer(ids.length), projection: shown })
      .toArray()
    return new Map(found.map((session) => [session._id.toString(), session]))
  })

  return {
    /** Begins a session; beyond 50 of an account the oldest end. */
    async create(account: string, { ip, userAgent }: Origin, transaction: ClientSession) {
      const id = newId()
      const token = newRefreshToken()
      const now = timeOf(id)
      const document: SessionDocument = {
        _id: toUuid(id),
        account: toUuid(account),
        family: hashPart(token.family),
        turn: hashPart(token.turn),
        previousTurn: null,
        refreshedAt: now,
        lastSeenAt: now,
        confirmedUntil: null,
        failures: 0,
        endsAt: endOf(id, now),
        ip,
        userAgent,
      }
      await sessions.insertOne(document, { session: transaction })
      const surplus = await sessions
        .find({ account: document.account }, { session: transaction, projection: { _id: 1 } })
        .sort({ _id: -1 })
        .skip(mostSessions)
        .toArray()
      if (surplus.length > 0) {
        await sessions.deleteMany({ _id: { $in: surplus.map(({ _id }) => _id) } }, { session: transaction })
      }
      return { session: fromDocument(document), token }
    },

    /** The session a request is made in, if it has not ended; that it was seen is written once a minute. */
    async findLive(viewer: Viewer): Promise<Session | undefined> {
      const found = await find(viewer.session)
      const now = new Date()
      if (found?.account.toString() !== viewer.account || found.endsAt <= now) return undefined
      if (now.getTime() - found.lastSeenAt.getTime() < seenEvery) return fromDocument(found)
      await sessions.updateOne({ _id: found._id }, { $max: { lastSeenAt: now } })
      return fromDocument({ ...found, lastSeenAt: now })
    },

    /** Takes the next turn, once: of two who show the same token one gets it and the other nothing. */
    async refresh(token: RefreshToken): Promise<Turned | undefined> {
      const found = await sessions.findOne({ family: hashPart(token.family), ...live() }, { projection: { _id: 1 } })
      if (!found) return undefined
      const now = new Date()
      const turn = newTurn()
      const shown = hashPart(token.turn)
      const updated = await sessions.findOneAndUpdate(
        { _id: found._id, turn: shown, ...live() },
        {
          $set: {
            turn: hashPart(turn),
            previousTurn: shown,
            refreshedAt: now,
            lastSeenAt: now,
            endsAt: endOf(found._id.toString(), now),
          },
        },
        { returnDocument: 'after' },
      )
      return updated ? { session: fromDocument(updated), token: { family: token.family, turn } } : undefined
    },

    /**
     * Marks a session as confirmed by a fresh password, with a new refresh token.
     * @param shown - the refresh token that came along; without the session's own one the family is new, too.
     * @returns undefined when the session has ended.
     */
    async confirm(viewer: Viewer, shown: RefreshToken | undefined): Promise<Turned | undefined> {
      const now = new Date()
      const fresh = newRefreshToken()
      const found = await sessions.findOne({ ...own(viewer), ...live() })
      if (!found) return undefined
      const keeps = shown !== undefined && sameBytes(hashPart(shown.family), found.family)
      const token = keeps ? { family: shown.family, turn: fresh.turn } : fresh
      const updated = await sessions.findOneAndUpdate(
        { _id: found._id, turn: found.turn, ...live() },
        {
          $set: {
            family: hashPart(token.family),
            turn: hashPart(token.turn),
            previousTurn: found.turn,
            refreshedAt: now,
            lastSeenAt: now,
            endsAt: endOf(viewer.session, now),
            confirmedUntil: new Date(now.getTime() + confirmedFor),
            failures: 0,
          },
        },
        { returnDocument: 'after' },
      )
      // The session took its next turn in this very moment, or ended: look again.
      return updated ? { session: fromDocument(updated), token } : this.confirm(viewer, shown)
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
      return found.map(fromDocument)
    },

    /** Ends one of an account's sessions; false when it had none of that id. */
    async end(viewer: Viewer, transaction?: ClientSession): Promise<boolean> {
      const options = transaction && { session: transaction }
      return (await sessions.deleteOne({ ...own(viewer), ...live() }, options)).deletedCount === 1
    },

    /** Ends the session that a refresh token names, by its family. */
    async endByToken({ family }: RefreshToken, transaction?: ClientSession): Promise<void> {
      await sessions.deleteOne({ family: hashPart(family) }, transaction && { session: transaction })
    },

    /** Ends all of an account's sessions but this one. */
    async endOthers({ account, session }: Viewer): Promise<void> {
      await sessions.deleteMany({ account: toUuid(account), _id: { $ne: toUuid(session) } })
    },
  }
}

export type SessionStore = ReturnType<typeof sessionStore>
