import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
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
import { type Change, type ChangeFeed, changeFeed } from './change-feed.ts'
import { countsPacer } from './counts-pacer.ts'
import { eventLog } from './event-log.ts'
import { fanOut } from './fan-out.ts'
import { type Position, secondsOf } from './position.ts'
import { openReader, type Reader } from './reader.ts'
import type { RecentRemovals } from './removals.ts'
import { type LagReason, laggedText, openingText } from './schema.ts'
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
  const timelines = openTimelines(db, follows)
  const measured = measure(parts.registry, () => readers.size)
  let changes: ChangeFeed | undefined
  let current = Promise.withResolvers<void>()
  let isCurrent = false
  let opening = 0
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
      if (isCurrent) current = Promise.withResolvers()
      isCurrent = false
      events.begin(position)
      readers.reset()
    },

    async receive(found: readonly Change[], passed: Position, isNowCurrent: boolean): Promise<void> {
      if (!isCurrent) {
        appendHistory(found)
        events.passed(passed)
        readers.skip()
        if (!isNowCurrent) return
        isCurrent = true
        current.resolve()
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
    current = Promise.withResolvers()
    isCurrent = false
  }

  function stopWhenIdle(): void {
    clearTimeout(idleTimer)
    idleTimer = setTimeout(() => {
      if (readers.size === 0 && opening === 0) stop()
    }, idleBeforeCloseMs).unref()
  }

  function onClose(reader: Reader, release: () => void): void {
    release()
    readers.remove(reader)
    if (reader.timeline) timelines.close(reader.timeline)
    stopWhenIdle()
  }

  /** Waits until the log has begun. @throws the reason of the signal */
  async function untilCurrent(signal: AbortSignal): Promise<void> {
    changes ??= changeFeed(signals, listener, log, noteRefusal)
    opening += 1
    try {
      await Promise.race([current.promise, rejectedBy(signal)])
    } finally {
      opening -= 1
      stopWhenIdle()
    }
  }

  /** Where a stream begins: undefined if the log does not reach back to what it has seen. */
  function startOf(lastEventId: Position | undefined): { next: number; position: Position } | undefined {
    const { start } = readers
    if (lastEventId === undefined) return start
    const next = events.numberAfter(lastEventId)
    return next === undefined ? undefined : { next: Math.min(next, start.next), position: lastEventId }
  }

  return {
    /** @throws the reason of the ticket's signal, when the client leaves before the change stream has begun */
    async open(options: StreamOptions): Promise<Readable> {
      const { raw, viewer, endsAt, isTimeline, lastEventId, ticket } = options
      await untilCurrent(ticket.signal)
      const start = startOf(lastEventId)
      const { next, position } = start ?? readers.start
      const reader = openReader({
        raw,
        viewer,
        endsAt,
        ticket,
        next,
        timeline: isTimeline && viewer ? timelines.open(viewer.account) : undefined,
        after: start && lastEventId,
        onReady: readers.onReady,
        onClose: (closed) => onClose(closed, options.onClose),
      })
      const opening = openingText(position, retryMs())
      if (isDraining()) reader.end(opening)
      else if (start) {
        reader.body.push(opening)
        readers.add(reader)
      } else {
        measured.lagged.inc({ reason: 'unknown-position' satisfies LagReason })
        reader.end(opening + laggedText('unknown-position', position))
      }
      return reader.body
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

const rejectedBy = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })

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
