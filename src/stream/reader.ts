import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { Ticket } from '../limits/fair-queue.ts'
import type { Viewer } from '../sessions/access-token.ts'
import type { Position } from './position.ts'
import type { OpenTimeline } from './timelines.ts'

export const heartbeatMs = 15_000
/** For a client that reads nothing any more, once its stream has ended: see http/end-connection.ts. */
const closeAfterMs = 10_000

type ReaderOptions = {
  raw: ServerResponse
  viewer: Viewer | null
  timeline: OpenTimeline | undefined
  ticket: Ticket
  /** By `Date.now()`: with the access token. */
  endsAt: number
  /** The number of the first event in the log that it has not been sent. */
  next: number
  /** What the client has already received: events up to it are skipped. */
  after: Position | undefined
  onReady: (reader: Reader) => void
  onClose: (reader: Reader) => void
}

/** One open stream. It buffers nothing: a client that does not read gets the events later from the log. */
export type Reader = Readonly<Omit<ReaderOptions, 'after' | 'next' | 'raw' | 'onReady' | 'onClose'>> & {
  readonly body: Readable
  next: number
  after: Position | undefined
  isCatchingUp: boolean
  isOpen: boolean
  /** By `performance.now()`: since when it has not been ready, and when the next heartbeat is due. */
  stalledAt: number | undefined
  heartbeatAt: number
  /** Whether the operating system has taken all that was sent. */
  isReady(): boolean
  send(text: string | Buffer): void
  /** Sends a last text. */
  end(text?: string): void
}

export function openReader({ raw, onReady, onClose, ...options }: ReaderOptions): Reader {
  let isWanted = false
  const body = new Readable({
    // Nothing but the response's own buffer.
    highWaterMark: 0,
    read() {
      isWanted = true
      onReady(reader)
    },
    destroy(error, done) {
      reader.isOpen = false
      onClose(reader)
      done(error)
    },
  })
  const reader: Reader = {
    ...options,
    body,
    isCatchingUp: false,
    isOpen: true,
    stalledAt: undefined,
    heartbeatAt: performance.now() + heartbeatMs,
    isReady: () => reader.isOpen && isWanted && raw.writableLength === 0,
    send(text) {
      if (reader.isOpen) isWanted = body.push(text)
    },
    end(text) {
      if (!reader.isOpen) return
      reader.isOpen = false
      if (text !== undefined) body.push(text)
      body.push(null)
      const timer = setTimeout(() => raw.socket?.resetAndDestroy(), closeAfterMs).unref()
      // It keeps the request, of which a client can send hundreds a second that end at once.
      raw.once('close', () => clearTimeout(timer))
    },
  }
  return reader
}
