import { Binary, type ClientSession, type Collection, type Db, type UUID } from 'mongodb'
import { isDatabaseOutOfReach, OutcomeUnknownError, TransactionTimeoutError } from '../database/failures.ts'
import { timeOf, toUuid } from '../database/ids.ts'
import type { SessionOwner } from './access-token.ts'
import { lifetimesMs, notExpired, type SessionDocument, toSession } from './model.ts'
import { hashPart, newRefreshToken, newStep, nextTurn, type RefreshToken, sameHash } from './refresh-token.ts'
import type { IssuedSession } from './store.ts'

/** How long the token just replaced gets the same successor again, in milliseconds by the database's clock. */
const reuseGraceMs = 10_000
const confirmedForMs = 600_000

type FoundSession = SessionDocument & { inGrace: boolean }

type StoredToken = { family: Binary; turn: Binary; previousTurn: Binary | null; step: Binary | null }

/** A token to hand out, and what is to be stored for it unless a concurrent refresh has stored it already. */
type Successor = { token: RefreshToken; stored?: StoredToken }

/** Undefined unless a token is current or within its grace. An old copy beside it is no theft: a thief has no good one. */
function successorOf(found: FoundSession, presented: readonly RefreshToken[]): Successor | undefined {
  const { account, inGrace, previousTurn } = found
  const current = presented.find(({ turn }) => sameHash(hashPart(turn), found.turn))
  if (current) {
    const step = newStep()
    const token = { ...current, account, turn: nextTurn(current.turn, step) }
    const stored = {
      family: found.family,
      turn: hashPart(token.turn),
      previousTurn: found.turn,
      step: new Binary(step),
    }
    return { token, stored }
  }
  const previous = presented.find(({ turn }) => sameHash(hashPart(turn), previousTurn))
  if (!inGrace || found.step === null || !previous) return undefined
  return { token: { ...previous, account, turn: nextTurn(previous.turn, found.step.buffer) } }
}

const isOf =
  ({ account, family }: FoundSession) =>
  (token: RefreshToken) =>
    account.equals(token.account) && sameHash(hashPart(token.family), family)

const ownerOf = ({ _id, account }: FoundSession): SessionOwner => ({
  account: account.toString(),
  session: _id.toString(),
})

function newFamily(account: UUID): Successor {
  const token = newRefreshToken(account)
  const { family, turn } = token
  return { token, stored: { family: hashPart(family), turn: hashPart(turn), previousTurn: null, step: null } }
}

const generationOf = ({ generation = 0 }: SessionDocument): number => generation

/** See `sharedTurn` in model.ts. */
const keptConfirmation = { confirmedUntil: { $cond: ['$sharedTurn', null, '$confirmedUntil'] }, sharedTurn: false }

const nextGeneration = { $add: [{ $ifNull: ['$generation', 0] }, 1] }

const idleEnd = { $add: ['$$NOW', lifetimesMs.idle] }

function renewed(session: string, stored: StoredToken) {
  const absoluteEnd = new Date(timeOf(session).getTime() + lifetimesMs.absolute)
  const endsAt = { $cond: ['$passwordChangeRequired', '$endsAt', { $min: [idleEnd, absoluteEnd] }] }
  return { ...stored, refreshedAt: '$$NOW', endsAt }
}

/** `reused`: the token was presented after its grace period, which means that a copy was stolen. */
export type ConfirmResult = ({ outcome: 'rotated' } & IssuedSession) | { outcome: 'reused' } | { outcome: 'unknown' }

/** @property reused - the sessions of which no good token was presented, so a copy was stolen */
export type RefreshResult = { rotated: IssuedSession | undefined; reused: SessionOwner[] }

/** The driver may have sent the rotation, also if it found no server: it looks for one again before its second try. */
const toRotationError = (error: unknown): unknown =>
  isDatabaseOutOfReach(error) ? new OutcomeUnknownError('no answer to the rotation', { cause: error }) : error

/** Refresh token rotation: each token is good once, and reuse ends the session (RFC 9700, 4.14.2). */
export function tokenRotation(db: Db) {
  const sessions: Collection<SessionDocument> = db.collection('sessions')

  async function find(filter: object, transaction?: ClientSession): Promise<FoundSession[]> {
    const inGrace = { $lt: [{ $subtract: ['$$NOW', '$refreshedAt'] }, reuseGraceMs] }
    const stages = [{ $match: { ...filter, ...notExpired() } }, { $set: { inGrace } }]
    return sessions.aggregate<FoundSession>(stages, transaction && { session: transaction }).toArray()
  }

  async function findByTokens(presented: readonly RefreshToken[]): Promise<FoundSession[]> {
    const found = await find({ $or: presented.map(({ account, family }) => ({ account, family: hashPart(family) })) })
    const position = (session: FoundSession) => presented.findIndex(isOf(session))
    return found.sort((one, other) => position(one) - position(other))
  }

  /**
   * A token that a confirmation replaced was issued before it, so its replay gets the generation before. The successor is
   * the confirmation's own, so the next refresh must end the confirmation.
   * @returns undefined if the session has changed since it was found
   */
  async function generationForReplay(found: FoundSession): Promise<number | undefined> {
    const generation = generationOf(found)
    if (generation !== found.confirmedGeneration) return generation
    const { _id, account, turn } = found
    const unchanged = { _id, account, turn, generation }
    const marked = await sessions
      .updateOne(unchanged, { $set: { sharedTurn: true } })
      .catch((error) => Promise.reject(toRotationError(error)))
    return marked.matchedCount === 1 ? generation - 1 : undefined
  }

  return {
    /** Rotates the first good token. One successor for concurrent requests. @throws OutcomeUnknownError without an answer */
    async refresh(presented: readonly RefreshToken[], deadline: number): Promise<RefreshResult> {
      for (;;) {
        const candidates = (await findByTokens(presented)).map((found) => {
          return { found, successor: successorOf(found, presented.filter(isOf(found))) }
        })
        const reused = candidates.filter(({ successor }) => !successor).map(({ found }) => ownerOf(found))
        const good = candidates.find(({ successor }) => successor)
        if (!good?.successor) return { rotated: undefined, reused }
        const { found } = good
        const { token, stored } = good.successor
        if (performance.now() > deadline) throw new TransactionTimeoutError('no rotation in time')
        if (!stored) {
          const generation = await generationForReplay(found)
          if (generation === undefined) continue
          return { rotated: { session: toSession(found), token, generation }, reused }
        }
        // Compare-and-swap. Even a lost one waits for a majority, so that the next read sees the winner's turn.
        const swapped = await sessions
          .findOneAndUpdate(
            { _id: found._id, account: found.account, turn: found.turn, ...notExpired() },
            [{ $set: { ...renewed(found._id.toString(), stored), ...keptConfirmation, generation: nextGeneration } }],
            { returnDocument: 'after' },
          )
          .catch((error) => Promise.reject(toRotationError(error)))
        if (swapped)
          return { rotated: { session: toSession(swapped), token, generation: generationOf(swapped) }, reused }
      }
    },

    /** Without a refresh token of this session, a new family begins. */
    async confirm(
      { account, session }: SessionOwner,
      presented: readonly RefreshToken[],
      transaction: ClientSession,
    ): Promise<ConfirmResult> {
      const [found] = await find({ _id: toUuid(session), account: toUuid(account) }, transaction)
      if (!found) return { outcome: 'unknown' }
      const own = presented.filter(isOf(found))
      const successor = own.length > 0 ? successorOf(found, own) : newFamily(found.account)
      if (!successor) return { outcome: 'reused' }
      const { token, stored } = successor
      const confirmation = {
        confirmedUntil: { $add: ['$$NOW', confirmedForMs] },
        confirmedGeneration: nextGeneration,
        generation: nextGeneration,
        sharedTurn: stored === undefined,
      }
      const updated = await sessions.findOneAndUpdate(
        { _id: found._id, account: found.account },
        [{ $set: { ...(stored && renewed(session, stored)), ...confirmation, failures: 0 } }],
        { session: transaction, returnDocument: 'after' },
      )
      if (!updated) return { outcome: 'unknown' }
      return { outcome: 'rotated', session: toSession(updated), token, generation: generationOf(updated) }
    },
  }
}

export type TokenRotation = ReturnType<typeof tokenRotation>
