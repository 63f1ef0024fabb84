import { Binary, type ClientSession, type Collection, type Db } from 'mongodb'
import { timeOf, toUuid } from '../database/ids.ts'
import type { Viewer } from './access-token.ts'
import { lifetimes, live, type SessionDocument, toSession } from './model.ts'
import { hashPart, newRefreshToken, newStep, nextTurn, type RefreshToken, sameHash } from './refresh-token.ts'
import type { Turned } from './store.ts'

/** How long the token just replaced gets the same successor again, in milliseconds by the database's clock. */
const grace = 10_000
/** In milliseconds. */
const confirmedFor = 600_000

/** A session, and whether it was refreshed so lately that the token before is still answered. */
type Found = SessionDocument & { lately: boolean }

/** What a session keeps of its refresh token. */
type Kept = { family: Binary; turn: Binary; previousTurn: Binary | null; step: Binary | null }

type Next = { token: RefreshToken; kept?: Kept }

/**
 * The token that follows one that is shown, and what is then to be kept; nothing if somebody who showed it was given
 * that token just before. Undefined for a token that is neither the present one nor the one just replaced.
 */
function successor(found: Found, { family, turn }: RefreshToken): Next | undefined {
  const shown = hashPart(turn)
  if (sameHash(shown, found.turn)) {
    const step = newStep()
    const token = { family, turn: nextTurn(turn, step) }
    return {
      token,
      kept: { family: found.family, turn: hashPart(token.turn), previousTurn: shown, step: new Binary(step) },
    }
  }
  if (!found.lately || found.step === null || !sameHash(shown, found.previousTurn)) return undefined
  return { token: { family, turn: nextTurn(turn, found.step.buffer) } }
}

/** A token of a new family: no token from before goes on with it. */
function freshToken(): Next {
  const token = newRefreshToken()
  return { token, kept: { family: hashPart(token.family), turn: hashPart(token.turn), previousTurn: null, step: null } }
}

/** What a session becomes that goes on now: 30 days more, 90 since its login at most. Times are the database's. */
function renewed(session: string, kept: Kept) {
  const last = new Date(timeOf(session).getTime() + lifetimes.absolute)
  const endsAt = { $min: [{ $add: ['$$NOW', lifetimes.idle] }, last] }
  return { ...kept, refreshedAt: '$$NOW', lastSeenAt: '$$NOW', endsAt }
}

/** What came of a refresh token: the session goes on, or its token was shown again long after it was replaced. */
export type Refreshed = ({ kind: 'turned' } & Turned) | { kind: 'reused'; viewer: Viewer }

/** Refresh tokens are good for one turn each (RFC 9700, 4.14.2: rotation, and reuse that ends the session). */
export function sessionTurns(db: Db) {
  const sessions: Collection<SessionDocument> = db.collection('sessions')

  async function find(filter: object, transaction?: ClientSession): Promise<Found | undefined> {
    const lately = { $lt: [{ $subtract: ['$$NOW', '$refreshedAt'] }, grace] }
    const stages = [{ $match: { ...filter, ...live() } }, { $set: { lately } }]
    return (await sessions.aggregate<Found>(stages, transaction && { session: transaction }).toArray())[0]
  }

  return {
    /**
     * Takes the next turn, once: of many who show the same token one takes it, and all go on with the same successor.
     * @returns undefined for a family that is not known.
     */
    async refresh(shown: RefreshToken): Promise<Refreshed | undefined> {
      for (;;) {
        const found = await find({ family: hashPart(shown.family) })
        if (!found) return undefined
        const session = found._id.toString()
        const next = successor(found, shown)
        if (!next) return { kind: 'reused', viewer: { account: found.account.toString(), session } }
        if (!next.kept) return { kind: 'turned', session: toSession(found), token: next.token }
        // Compare and swap. It waits for a majority even if it finds the turn taken, so that the next look sees by whom.
        const taken = await sessions.findOneAndUpdate(
          { _id: found._id, turn: found.turn, ...live() },
          [{ $set: renewed(session, next.kept) }],
          { returnDocument: 'after' },
        )
        if (taken) return { kind: 'turned', session: toSession(taken), token: next.token }
      }
    },

    /**
     * Marks a session as confirmed by a fresh password, with a new refresh token.
     * @param shown - the refresh token that came along; without one of this session the family is new, too.
     * @returns undefined when the session has ended.
     */
    async confirm(
      { account, session }: Viewer,
      shown: RefreshToken | undefined,
      transaction: ClientSession,
    ): Promise<Refreshed | undefined> {
      const found = await find({ _id: toUuid(session), account: toUuid(account) }, transaction)
      if (!found) return undefined
      const isOwn = shown !== undefined && sameHash(hashPart(shown.family), found.family)
      const next = isOwn ? successor(found, shown) : freshToken()
      if (!next) return { kind: 'reused', viewer: { account, session } }
      const { token, kept } = next
      const confirmedUntil = { $add: ['$$NOW', confirmedFor] }
      const updated = await sessions.findOneAndUpdate(
        { _id: found._id },
        [{ $set: { ...(kept && renewed(session, kept)), confirmedUntil, failures: 0 } }],
        { session: transaction, returnDocument: 'after' },
      )
      return updated ? { kind: 'turned', session: toSession(updated), token } : undefined
    },
  }
}

export type SessionTurns = ReturnType<typeof sessionTurns>
