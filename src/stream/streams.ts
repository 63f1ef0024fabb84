import type { ServerResponse } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import type { Db } from 'mongodb'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { NoteRefusal } from '../database/access-refusals.ts'
import type { FollowStore } from '../follows/store.ts'
import type { Ticket } from '../limits/fair-queue.ts'
import { readQueue } from '../limits/read-queue.ts'
import type { PostStore } from '../posts/store.ts'
import { type PostViewContext, viewPosts } from '../posts/view.ts'
import type { Viewer } from '../sessions/access-token.ts'
import type { RevocationCache } from '../sessions/revocation-cache.ts'
import type { RevocationFeed } from '../sessions/revocation-feed.ts'
import { type Change, type ChangeFeed, changeFeed, currentPosition } from './change-feed.ts'
import { countsPacer } from './counts-pacer.ts'
import { eventLog } from './event-log.ts'
import { fanOut } from './fan-out.ts'
import { type Position, secondsBefore, secondsOf } from './position.ts'
import { openReader, type Reader } from './reader.ts'
import type { RecentRemovals } from './removals.ts'
import { openingText } from './schema.ts'
import { openTimelines } from './timelines.ts'

/** Of the streams that resume, in this process. */
const maxConcurrentReads = 4
const countsCheckMs = 50
/** After the last stream has closed: a process without streams reads no change stream. */
const idleBeforeCloseMs = 60_000
/** What clients wait before they reconnect: not all at once after a restart. */
const retryMs = () => 1_000 + Math.floor(Math.random() * 2_000)

type Parts = PostViewContext & {
  db: Db
  /** For the change stream: see database/connection.ts. */
  signals: Db
  posts: Pick<PostStore, 'find'>
  follows: Pick<FollowStore, 'followedBy'>
  revocations: Pick<RevocationCache, 'isLive' | 'readIsLive'>
  feed: Pick<RevocationFeed, 'noteUse'>
  removals: Pick<RecentRemovals, 'has'>
  isDraining: () => boolean
  noteRefusal: NoteRefusal
  registry: Registry
  log: FastifyBaseLogger
}

type StreamOptions = {
  raw: ServerResponse
  viewer: Viewer | null
  /** By `Date.now()` */
  endsAt: number
  /** Whether only the viewer's timeline is sent. */
  isTimeline: boolean
  lastEventId: Position | undefined
  ticket: Ticket
  onClose: () => void
}

/** All open streams of this process. They share one change stream, which is read while there are any. */
export function streamHub(parts: Parts) {
  const { db, signals, posts, follows, revocations, feed, removals, isDraining, noteRefusal, log } = parts
  const events = eventLog()
  const pacer = countsPacer()
  const timelines = openTimelines(db, follows, { end: (timeline) => readers.endTimeline(timeline) })
  const measured = measure(parts.registry, () => readers.size)
  let changes: ChangeFeed | undefined
  /** Until then the log is being filled with what happened before, and streams wait. */
  let isCurrent = false
  const waiting = new Map<Reader, Position>()
  let idleTimer: NodeJS.Timeout | undefined
  let countsTimer: NodeJS.Timeout | undefined

  async function endRevoked(streams: readonly Reader[]): Promise<void> {
    const ofSessions = streams.filter(({ viewer }) => viewer !== null)
    if (ofSessions.length > 0) feed.noteUse()
    const doubtful = ofSessions.filter(({ viewer }) => viewer && revocations.isLive(viewer.session) !== true)
    await Promise.all(
      doubtful.map(async (reader) => {
        const { session = '' } = reader.viewer ?? {}
        const isLive = revocations.isLive(session) ?? (await revocations.readIsLive(session))
        if (!isLive) reader.end()
      }),
    )
  }

  const readers = fanOut({
    events,
    timelines,
    queue: readQueue(maxConcurrentReads),
    isRemoved: removals.has,
    isDraining,
    onLag: (reason) => measured.lagged.inc({ reason }),
    endRevoked,
    async readPosts(ids) {
      const found = (await Promise.all(ids.map(posts.find))).filter((post) => post !== undefined)
      const views = await viewPosts(parts, found, undefined)
      return new Map(views.map((post) => [post.id, post]))
    },
    log,
  })

  const dueCounts = (): Change[] => pacer.take().map((post) => ({ position: events.head, kind: 'counts', post }))

  function flushCounts(): void {
    countsTimer = undefined
    events.append(dueCounts())
    void readers.publish()
    scheduleCounts()
  }

  function scheduleCounts(): void {
    if (!pacer.isEmpty) countsTimer ??= setTimeout(flushCounts, countsCheckMs).unref()
  }

  /** Before the feed is current: of the changes of a post's counts within a second, one is enough. */
  function appendHistory(found: readonly Change[]): void {
    const seen = new Set<string>()
    events.append(
      found.filter(({ kind, post, position }) => {
        if (kind !== 'counts') return true
        const name = `${secondsOf(position)} ${post}`
        const isNew = !seen.has(name)
        seen.add(name)
        return isNew
      }),
    )
  }

  const listener = {
    begin(position: Position): void {
      events.begin(position)
      if (isCurrent) readers.reset()
      else readers.skip()
      isCurrent = false
    },

    async receive(found: readonly Change[], passed: Position, isNowCurrent: boolean): Promise<void> {
      if (!isCurrent) {
        appendHistory(found)
        events.passed(passed)
        readers.skip()
        if (!isNowCurrent) return
        isCurrent = true
        for (const [reader, position] of waiting) resume(reader, position)
        waiting.clear()
        return
      }
      events.append(found.filter(({ kind }) => kind !== 'counts'))
      events.passed(passed)
      for (const { kind, post } of found) if (kind === 'counts') pacer.note(post)
      events.append(dueCounts())
      scheduleCounts()
      await readers.publish()
    },
  }

  function stop(): void {
    changes?.close()
    changes = undefined
    isCurrent = false
  }

  function stopWhenIdle(): void {
    clearTimeout(idleTimer)
    idleTimer = setTimeout(() => {
      if (readers.size === 0) stop()
    }, idleBeforeCloseMs).unref()
  }

  function onClose(reader: Reader, release: () => void): void {
    release()
    waiting.delete(reader)
    readers.remove(reader)
    if (reader.timeline) timelines.close(reader.timeline)
    stopWhenIdle()
  }

  function resume(reader: Reader, position: Position): void {
    const next = events.numberAfter(position)
    if (next === undefined) readers.lag(reader, 'unknown-position', readers.start.position)
    else {
      reader.next = Math.min(next, readers.start.next)
      readers.add(reader)
    }
  }

  /** Where a stream begins that resumes from none. */
  async function startNow(): Promise<Position> {
    if (isCurrent) return readers.start.position
    const session = signals.client.startSession()
    try {
      // A little earlier: the latest commits may not have been acknowledged yet.
      return secondsBefore(await currentPosition(signals, session), 1)
    } finally {
      session.endSession().catch(() => undefined)
    }
  }

  return {
    /** A stream that begins now, or after `lastEventId`. @throws MongoError if the database is out of reach */
    async open(options: StreamOptions): Promise<Pick<Reader, 'body' | 'end'>> {
      const { raw, viewer, endsAt, isTimeline, lastEventId, ticket } = options
      const position = lastEventId ?? (await startNow())
      ticket.signal.throwIfAborted()
      changes ??= changeFeed(signals, listener, log, noteRefusal)
      const reader = openReader({
        raw,
        viewer,
        endsAt,
        ticket,
        next: isCurrent && lastEventId === undefined ? readers.start.next : Number.POSITIVE_INFINITY,
        after: isCurrent ? lastEventId : position,
        timeline: isTimeline && viewer ? timelines.open(viewer.account) : undefined,
        onReady: readers.onReady,
        onClose: (closed) => onClose(closed, options.onClose),
      })
      reader.body.push(openingText(position, retryMs()))
      if (isDraining()) reader.end()
      else if (isCurrent && lastEventId !== undefined) resume(reader, lastEventId)
      else {
        if (!isCurrent) waiting.set(reader, position)
        readers.add(reader)
      }
      return reader
    },

    endAll: readers.endAll,

    /** Does not wait for the change stream to end. */
    close(): void {
      readers.endAll()
      clearTimeout(idleTimer)
      clearTimeout(countsTimer)
      stop()
    },
  }
}

export type StreamHub = ReturnType<typeof streamHub>

function measure(registry: Registry, countOpen: () => number) {
  new Gauge({
    name: 'rookery_streams',
    help: 'Open streams of events.',
    registers: [registry],
    collect() {
      this.set(countOpen())
    },
  })
  const lagged = new Counter({
    name: 'rookery_streams_lagged_total',
    help: 'Streams ended because the client read too slowly, or resumed from an event that is no longer known.',
    labelNames: ['reason'],
    registers: [registry],
  })
  return { lagged }
}
