import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { backOffMs } from '../back-off.ts'
import type { FairQueue } from '../limits/fair-queue.ts'
import type { Change } from './change-feed.ts'
import type { EventLog } from './event-log.ts'
import type { Position } from './position.ts'
import { heartbeatMs, type Reader } from './reader.ts'
import { eventText, heartbeatText, type LagReason, laggedText, type PostOfEvent } from './schema.ts'
import type { OpenTimeline, OpenTimelines } from './timelines.ts'

/** Of one write to a reader, some 50 KB: what is not read yet waits in memory, see limits/unread-answers.ts. */
const pageSize = 100
const tickMs = 100
/** A client that reads nothing for so long is told that it lags, and its stream ends. */
const maxStallMs = 15_000

type Parts = {
  events: EventLog
  /** The posts that exist now and whose author does, by id. */
  readPosts(ids: readonly string[]): Promise<Map<string, PostOfEvent>>
  timelines: Pick<OpenTimelines, 'renew'>
  /** Ends the streams whose session has ended. */
  endRevoked(readers: readonly Reader[]): Promise<void>
  isRemoved(id: string): boolean
  isDraining(): boolean
  onLag(reason: LagReason): void
  queue: FairQueue
  log: FastifyBaseLogger
}

type Posts = ReadonlyMap<string, PostOfEvent>

/**
 * Sends the log's events to all readers. Most are live: they get each batch as it comes, in one write. A reader that was not
 * ready for one, or resumes, catches up from the log by itself. Posts are read just before they are sent: what was deleted,
 * hidden or unfollowed before is not sent, in whichever process that happened.
 */
export function fanOut(parts: Parts) {
  const { events, readPosts, timelines, endRevoked, isRemoved, isDraining, onLag, queue, log } = parts
  const readers = new Set<Reader>()
  /** The number after the last event that live readers were sent, and the position that they have reached. */
  let sent = events.end
  let reached: Position = events.head
  let dispatching: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  let isChecking = false

  const isLive = (reader: Reader) => reader.next === sent && reader.isReady()

  async function prepare(batch: readonly Change[], recipients: readonly Reader[]): Promise<Posts> {
    const ids = new Set(batch.flatMap(({ kind, post }) => (kind === 'removed' ? [] : [post])))
    const used = new Set(recipients.flatMap(({ timeline }) => timeline ?? []))
    await Promise.all([ids.size > 0 ? timelines.renew(used) : undefined, endRevoked(recipients)])
    // Last: a post that is deleted while the others take their time is not sent.
    return readPosts([...ids])
  }

  const visible = (posts: Posts, { kind, post: id }: Change) => {
    const post = kind === 'removed' ? undefined : posts.get(id)
    return post && !isRemoved(post.id) && !isRemoved(post.author.id) ? post : undefined
  }

  function textOf(change: Change, post: PostOfEvent | undefined): string | undefined {
    try {
      return eventText(change, post)
    } catch (error) {
      // Without it, one post that the schema refuses would hold up all others.
      log.error({ err: error }, 'an event cannot be sent')
      return undefined
    }
  }

  /** One text for each change of a batch; undefined for that of a post that no longer exists. */
  const textsOf = (batch: readonly Change[], posts: Posts) =>
    batch.map((change) => {
      const post = visible(posts, change)
      return post || change.kind === 'removed' ? textOf(change, post) : undefined
    })

  function isFor({ after, timeline }: Reader, { kind, position, post: id }: Change, posts: Posts): boolean {
    if (after !== undefined && kind !== 'counts' && position <= after) return false
    if (timeline === undefined || kind === 'removed') return true
    const post = posts.get(id)
    return post !== undefined && post.replyTo === null && timeline.authors.has(post.author.id)
  }

  function sendBatch(recipients: readonly Reader[], batch: readonly Change[], posts: Posts): void {
    const texts = textsOf(batch, posts)
    const last = batch.at(-1)?.position ?? ''
    let all: Buffer | undefined
    for (const reader of recipients) {
      if (reader.timeline === undefined && reader.after === undefined) {
        all ??= Buffer.from(texts.join(''))
        if (all.length > 0) reader.send(all)
      } else {
        const own = texts.filter((text, n) => text !== undefined && isFor(reader, batch[n] as Change, posts))
        if (own.length > 0) reader.send(own.join(''))
      }
      reader.next += batch.length
      if (reader.after !== undefined && reader.after <= last) reader.after = undefined
    }
  }

  /** Tries until it succeeds: during an outage of the database streams stay open, and go on where they were. */
  async function sendLive(batch: readonly Change[]): Promise<void> {
    for (let failures = 0; ; failures += 1) {
      // One timeline that takes too long must not hold up all: after a failure, their readers catch up by themselves.
      const isRecipient = (reader: Reader) => isLive(reader) && (failures === 0 || reader.timeline === undefined)
      const recipients = [...readers].filter(isRecipient)
      if (recipients.length === 0) return
      try {
        const posts = await prepare(batch, recipients)
        return sendBatch(recipients.filter(isRecipient), batch, posts)
      } catch (error) {
        if (failures === 0) log.warn({ reason: String(error) }, 'events wait: their posts could not be read')
        await sleep(backOffMs(failures + 1), undefined, { ref: false })
      }
    }
  }

  async function dispatch(): Promise<void> {
    for (;;) {
      const { head } = events
      if (sent === events.end) {
        reached = head
        return
      }
      const batch = events.read(sent, pageSize)
      if (batch === undefined) {
        // More came at once than the log keeps: every reader finds that it lags.
        sent = events.end
        continue
      }
      await sendLive(batch)
      sent += batch.length
    }
  }

  function lag(reader: Reader, reason: LagReason, position?: Position): void {
    if (!reader.isOpen) return
    onLag(reason)
    reader.end(laggedText(reason, position))
  }

  async function catchUp(reader: Reader): Promise<void> {
    if (reader.isCatchingUp || reader.next >= sent) return
    reader.isCatchingUp = true
    try {
      while (reader.next < sent && reader.isReady()) {
        const page = events.read(reader.next, Math.min(pageSize, sent - reader.next))
        if (page === undefined) return lag(reader, 'slow')
        const posts = await queue(() => prepare(page, [reader]), reader.ticket)
        if (reader.isOpen) sendBatch([reader], page, posts)
      }
    } catch {
      // The client has left; or the database is out of reach, and the next tick tries again.
    } finally {
      reader.isCatchingUp = false
    }
  }

  function sendHeartbeat(reader: Reader, now: number): void {
    if (now < reader.heartbeatAt || !reader.isReady()) return
    reader.heartbeatAt = now + heartbeatMs
    const { after = '' } = reader
    reader.send(heartbeatText(reader.next === sent ? (after > reached ? after : reached) : undefined))
  }

  function attend(reader: Reader, now: number): void {
    if (Date.now() > reader.endsAt) reader.end()
    else if (reader.isReady()) {
      reader.stalledAt = undefined
      sendHeartbeat(reader, now)
      void catchUp(reader)
    } else {
      reader.stalledAt ??= now
      if (now - reader.stalledAt > maxStallMs) lag(reader, 'slow')
    }
  }

  function tick(): void {
    const now = performance.now()
    for (const reader of readers) {
      if (isDraining()) reader.end()
      else attend(reader, now)
    }
    if (isChecking) return
    isChecking = true
    endRevoked([...readers])
      .catch(() => undefined)
      .finally(() => {
        isChecking = false
      })
  }

  return {
    /** Sends what the log has. Concurrent calls follow one another. */
    publish(): Promise<void> {
      dispatching = dispatching.then(dispatch)
      return dispatching
    },

    /** The log begins again, and so must every stream. */
    reset(): void {
      sent = events.end
      reached = events.head
      for (const reader of readers) lag(reader, 'unknown-position', reached)
    },

    /** Without sending: every reader has yet to begin. */
    skip(): void {
      sent = events.end
      reached = events.head
    },

    add(reader: Reader): void {
      readers.add(reader)
      timer ??= setInterval(tick, tickMs).unref()
      void catchUp(reader)
    },

    remove(reader: Reader): void {
      readers.delete(reader)
      if (readers.size > 0) return
      clearInterval(timer)
      timer = undefined
    },

    lag,

    onReady: (reader: Reader): void => void catchUp(reader),

    endTimeline(timeline: OpenTimeline): void {
      for (const reader of readers) if (reader.timeline === timeline) reader.end()
    },

    endAll(): void {
      for (const reader of readers) reader.end()
    },

    /** Where a new stream begins. */
    get start(): { next: number; position: Position } {
      return { next: sent, position: reached }
    },

    get size(): number {
      return readers.size
    },
  }
}
