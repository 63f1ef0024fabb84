import type { Binary, ClientSession, Collection, Db, UUID } from 'mongodb'
import { idGenerator } from '../database/id-generator.ts'
import { newId, timeOf, toUuid } from '../database/ids.ts'
import type { ClientInfo } from '../http/client-info.ts'
import { sealToken, unsealToken } from './sealed-token.ts'

/** What causes a mail: when, from where, and to which account it belongs. An operator has no address. */
type Cause = ClientInfo & { at: Date }

/** @property count - how often it has happened since the last notice of this event */
export type Mail =
  | { kind: 'verification'; to: string; username: string; token: string }
  | ({ kind: 'reset'; to: string; username: string; token: string } & Cause)
  | ({ kind: 'notice'; to: string; username: string; event: string; count: number } & Cause)

/** Asked for without a session. Whether the account exists and has an address is found out later: see reset-links.ts. */
export type ResetRequest = { kind: 'reset-request'; account: string } & Cause

export type Job = Mail | ResetRequest

/** With the token of a link encrypted. */
type StoredJob = Job extends infer Each
  ? Each extends { token: string }
    ? Omit<Each, 'token'> & { token: Binary }
    : Each
  : never

type OutboxDocument = {
  /** A UUIDv7 of when it was added or, later, is due. The Message-ID has it, by which a mail that is sent twice can be recognised. */
  _id: UUID
  job: StoredJob
  /** By the database's clock: when it is due, or until when another process has it. */
  dueAt: Date
  tries: number
  lease?: UUID
  giveUpAt: Date
}

/** @property job - undefined if no key of this process opens its link */
export type Leased = {
  id: string
  kind: Job['kind']
  job: Job | undefined
  lease: UUID
  tries: number
  isLate: boolean
}

/** @property dueAt - if it is later than at once. @property rank - of what is due at once, the lowest goes first */
type WhenToSend = { dueAt?: Date | undefined; rank?: number }

/** Longer than a try takes, so that no other process begins the same: see sender.ts. */
const leaseMs = 120_000
const keptAfterSeconds = 3_600

export const outboxIndexes = [
  { key: { dueAt: 1, _id: 1 } },
  // For mails that no process tries any more.
  { key: { giveUpAt: 1 }, expireAfterSeconds: keptAfterSeconds },
] as const

/**
 * Mails to send, written in the transaction of what they tell.
 * @param keys - of all processes, which encrypt the tokens of links: see challengeKeys()
 * @param onAdded - called before that is committed
 */
export function outboxStore(db: Db, keys: () => readonly Buffer[] = () => [], onAdded: () => void = () => {}) {
  const outbox: Collection<OutboxDocument> = db.collection('outbox')
  const toStored = (job: Job): StoredJob => ('token' in job ? { ...job, token: sealToken(job.token, keys()) } : job)

  function toJob(stored: StoredJob): Job | undefined {
    if (!('token' in stored)) return stored
    const token = unsealToken(stored.token, keys())
    return token === undefined ? undefined : { ...stored, token }
  }

  return {
    async add(
      job: Job,
      giveUpAt: Date,
      transaction: ClientSession,
      { dueAt, rank = 0 }: WhenToSend = {},
    ): Promise<UUID> {
      const newMailId = dueAt ? idGenerator(() => dueAt.getTime()) : newId
      // Whatever the clock of this process, the beginning of 1970 is at once.
      const due = dueAt ?? new Date(rank)
      const document = { _id: toUuid(newMailId()), job: toStored(job), dueAt: due, tries: 0, giveUpAt }
      await outbox.insertOne(document, { session: transaction })
      onAdded()
      return document._id
    },

    /** What a notice tells has happened once more before it was sent. */
    async repeat(
      mail: UUID,
      { at, ip, userAgent }: Cause,
      transaction: ClientSession,
    ): Promise<{ outcome: 'repeated' | 'not-found' }> {
      const { matchedCount } = await outbox.updateOne(
        { _id: mail, tries: 0 },
        { $set: { 'job.at': at, 'job.ip': ip, 'job.userAgent': userAgent }, $inc: { 'job.count': 1 } },
        { session: transaction },
      )
      return { outcome: matchedCount === 1 ? 'repeated' : 'not-found' }
    },

    /** The one that has been due for the longest, for this process alone. */
    async lease(): Promise<Leased | undefined> {
      const lease = toUuid(newId())
      const dueAt = { $add: ['$$NOW', leaseMs] }
      const found = await outbox.findOneAndUpdate(
        { $expr: { $lte: ['$dueAt', '$$NOW'] } },
        [{ $set: { dueAt, lease, tries: { $add: ['$tries', 1] } } }],
        { sort: { dueAt: 1, _id: 1 }, returnDocument: 'after' },
      )
      if (!found) return undefined
      const leasedAtMs = found.dueAt.getTime() - leaseMs
      const { _id, tries, giveUpAt } = found
      const { kind } = found.job
      const isLate = giveUpAt.getTime() <= leasedAtMs
      return { id: _id.toString(), kind, job: toJob(found.job), lease, tries, isLate }
    },

    /** To be tried again, unless another process has it by now. */
    async release({ id, lease }: Leased, delayMs: number): Promise<void> {
      const dueAt = { $add: ['$$NOW', delayMs] }
      await outbox.updateOne({ _id: toUuid(id), lease }, [{ $set: { dueAt } }])
    },

    /** Another process may have it by now: it is in vain. */
    async delete({ id }: Leased, transaction?: ClientSession): Promise<void> {
      await outbox.deleteOne({ _id: toUuid(id) }, transaction && { session: transaction })
    },

    /** Turns it into another job, unless another process has it by now. */
    async replace(
      { id, lease }: Leased,
      job: Mail,
      giveUpAt: Date,
      transaction: ClientSession,
    ): Promise<{ outcome: 'replaced' | 'not-found' }> {
      const update = { $set: { job: toStored(job), giveUpAt } }
      const { matchedCount } = await outbox.updateOne({ _id: toUuid(id), lease }, update, { session: transaction })
      return { outcome: matchedCount === 1 ? 'replaced' : 'not-found' }
    },

    count: (limit: number, timeoutMS: number): Promise<number> => outbox.countDocuments({}, { limit, timeoutMS }),

    /** When the oldest was added or, if that is later, is due. */
    async oldest(timeoutMS: number): Promise<Date | undefined> {
      const found = await outbox.findOne({}, { sort: { _id: 1 }, projection: { _id: 1 }, timeoutMS })
      return found ? timeOf(found._id.toString()) : undefined
    },
  }
}

export type OutboxStore = ReturnType<typeof outboxStore>
