import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { type ClientSession, type Db, Long, MongoServerError, type Timestamp, type UUID } from 'mongodb'
import { backOffMs } from '../back-off.ts'
import type { NoteRefusal } from '../database/access-refusals.ts'
import { type Position, positionAt, positionOfToken, secondsBefore, timeOf } from './position.ts'

type ChangeKind = 'post' | 'edited' | 'counts' | 'removed'

/** What a commit did to a post. Not the post itself: that is read when the change is sent. */
export type Change = { position: Position; kind: ChangeKind; post: string }

type ChangeListener = {
  /** The history begins here. Called again when changes have been lost. */
  begin(position: Position): void
  /**
   * Changes in the order of commits. `passed`: none before it will come any more. `isCurrent`: all that was committed
   * before the feed opened has come. The next ones are read when this has resolved.
   */
  receive(changes: readonly Change[], passed: Position, isCurrent: boolean): Promise<void>
}

/** How far back a feed begins, so that streams resume over a restart and in another process. */
export const historySeconds = 60
/** Less than the socket time-out of signals: see database/connection.ts. */
const maxAwaitTimeMs = 500
const stableAfterMs = 60_000
/** MongoDB's 16 MB would be 50,000 changes, and keep the event loop for up to a second. */
const batchSize = 1_000
/** ChangeStreamHistoryLost: the oplog no longer has what happened then. */
const historyLostCode = 286

class HistoryLostError extends Error {}

const isHistoryLost = (error: unknown) =>
  error instanceof HistoryLostError || (error instanceof MongoServerError && error.code === historyLostCode)

/** https://www.mongodb.com/docs/manual/reference/change-events/ */
type ChangeEvent = {
  operationType: string
  clusterTime: Timestamp
  documentKey: { _id: UUID }
  updateDescription?: { updatedFields?: Record<string, unknown> }
}

type Batch = {
  id: Long | number
  firstBatch?: ChangeEvent[]
  nextBatch?: ChangeEvent[]
  postBatchResumeToken?: { _data: unknown }
}

const relevant = [
  { $match: { operationType: { $in: ['insert', 'update', 'replace', 'delete', 'invalidate'] } } },
  { $unset: 'fullDocument' },
]

function kindOf({ operationType, updateDescription }: ChangeEvent): ChangeKind | undefined {
  if (operationType === 'insert') return 'post'
  if (operationType === 'delete') return 'removed'
  const fields = Object.keys(updateDescription?.updatedFields ?? {})
  if (operationType === 'replace' || fields.includes('text') || fields.includes('editedAt')) return 'edited'
  return fields.some((field) => field.startsWith('counts')) ? 'counts' : undefined
}

/** The position of the latest commit. */
export async function currentPosition(db: Db, session: ClientSession): Promise<Position> {
  await db.command({ ping: 1 }, { session })
  if (session.operationTime === undefined) throw new Error('MongoDB told no operation time')
  return positionAt(session.operationTime)
}

/** Reads one change stream of `posts`, which MongoDB sends in commit order and only after a majority commit. */
export function changeFeed(db: Db, listener: ChangeListener, log: FastifyBaseLogger, noteRefusal: NoteRefusal) {
  const closing = new AbortController()
  let passed: Position | undefined
  let history = historySeconds
  let currentAt: Position = ''

  async function begin(session: ClientSession): Promise<Position> {
    currentAt = await currentPosition(db, session)
    const start = secondsBefore(currentAt, history)
    listener.begin(start)
    return start
  }

  /** Not a cursor of the driver: those hide the token of an empty batch, which says what it has passed. */
  async function* batches(start: Timestamp, session: ClientSession): AsyncGenerator<Batch> {
    const pipeline = [{ $changeStream: { startAtOperationTime: start } }, ...relevant]
    const open = { aggregate: 'posts', pipeline, cursor: { batchSize }, readConcern: { level: 'majority' } }
    let { cursor } = await db.command(open, { session })
    const id = Long.isLong(cursor.id) ? cursor.id : Long.fromNumber(cursor.id)
    try {
      while (!closing.signal.aborted) {
        yield cursor
        const getMore = { getMore: id, collection: 'posts', batchSize, maxTimeMS: maxAwaitTimeMs }
        cursor = (await db.command(getMore, { session })).cursor
      }
    } finally {
      db.command({ killCursors: 'posts', cursors: [id] }, { session }).catch(() => undefined)
    }
  }

  async function listen(session: ClientSession): Promise<void> {
    const start = passed ?? (await begin(session))
    passed = start
    let last = { position: start, time: start.slice(0, 16), number: 0 }
    for await (const { firstBatch, nextBatch = firstBatch ?? [], postBatchResumeToken } of batches(
      timeOf(start),
      session,
    )) {
      const changes: Change[] = []
      for (const event of nextBatch) {
        if (event.operationType === 'invalidate') throw new HistoryLostError('the collection was dropped')
        const time = positionAt(event.clusterTime).slice(0, 16)
        // A stream begins with the first change of its time, so the numbers are the same in every process.
        const number = time === last.time ? last.number + 1 : 1
        const position = positionAt(event.clusterTime, number)
        last = { position, time, number }
        const kind = kindOf(event)
        if (kind === undefined || position <= start) continue
        changes.push({ position, kind, post: event.documentKey._id.toString() })
      }
      const token = positionOfToken(postBatchResumeToken?._data) ?? ''
      const upTo: Position = [last.position, token, passed].reduce((one, other) => (one > other ? one : other))
      await listener.receive(changes, upTo, upTo >= currentAt)
      passed = upTo
    }
  }

  async function follow(): Promise<void> {
    for (let failures = 0; !closing.signal.aborted; failures += 1) {
      const startedAt = performance.now()
      const session = db.client.startSession()
      const error = await listen(session).catch((error: Error) => error)
      session.endSession().catch(() => undefined)
      if (closing.signal.aborted) return
      if (isHistoryLost(error)) {
        log.warn({ reason: String(error) }, 'changes were lost: every open stream is told')
        passed = undefined
        history = 0
      } else if (error && !noteRefusal(error)) log.warn({ reason: String(error) }, 'change stream failed, reopening')
      if (performance.now() - startedAt > stableAfterMs) failures = 0
      await sleep(backOffMs(failures), undefined, { signal: closing.signal }).catch(() => undefined)
    }
  }

  void follow()
  return {
    /** Does not wait for the stream to end. */
    close: (): void => closing.abort(),
  }
}

export type ChangeFeed = ReturnType<typeof changeFeed>
