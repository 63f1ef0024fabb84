import type { Socket } from 'node:net'
import type { FailureReason } from './observer.ts'
import type { Submission } from './operation.ts'

export type Request = [n: number, submission: Submission, deadline: number]

export type Response = [n: number, result: unknown] | [n: number, result: null, failure: FailureReason]

// Each process counts performance.now() from its own start, on the same monotonic clock. Sending the remaining time
// instead would be wrong for a process that is stopped before it reads the message.
const start = Number(process.hrtime.bigint()) / 1e6 - performance.now()

export const toMachineTime = (time: number): number => start + time

export const fromMachineTime = (time: number): number => time - start

/** Bounds how long parsing a frame blocks the event loop. */
const maxFrameMessages = 500
/** More than {@link maxFrameMessages} of the largest commands, in UTF-16 code units. */
const maxFrameLength = 16_000_000
const signOfLifeMs = 500

export type Sender<Message> = {
  send(message: Message): void
  /** How many messages wait, unserialised, because the other end reads nothing. */
  waiting(): number
}

/** A frame, one line, has the messages of one turn. What is not `isWanted` when the other end reads is left out. */
export function sender<Message>(socket: Socket, isWanted: (message: Message) => boolean = () => true): Sender<Message> {
  let waiting: Message[] = []
  let isScheduled = false
  function flush() {
    isScheduled = false
    // A closed socket drops them: the other end submits again to the next writer.
    if (!socket.writable) waiting = []
    while (waiting.length > 0 && !socket.writableNeedDrain) {
      const frame = waiting.splice(0, maxFrameMessages).filter(isWanted)
      if (frame.length > 0) socket.write(`${JSON.stringify(frame)}\n`)
    }
  }
  socket.on('drain', flush)
  return {
    send(message) {
      waiting.push(message)
      if (isScheduled || socket.writableNeedDrain) return
      isScheduled = true
      setImmediate(flush)
    },
    waiting: () => waiting.length,
  }
}

/** Sends an empty frame every 500 ms, until the socket closes: the other end sees that this event loop runs. */
export function sendSignsOfLife(socket: Socket): void {
  const timer = setInterval(
    () => void (socket.writable && !socket.writableNeedDrain && socket.write('[]\n')),
    signOfLifeMs,
  )
  timer.unref()
  socket.once('close', () => clearInterval(timer))
}

/** Emitted by a socket that is closed because its other end sent what is no frame. Contains nothing of what it sent. */
export class MalformedFrameError extends Error {
  override readonly name = 'MalformedFrameError'
}

/** Only our own processes can reach the socket, so messages are not validated: what `handle` throws closes the socket. */
export function receive<Message>(socket: Socket, handle: (message: Message) => void): void {
  let pieces: string[] = []
  let length = 0
  function take(chunk: string): void {
    // JSON escapes line feeds, so each one ends a line.
    const [rest = '', ...lines] = chunk.split('\n')
    pieces.push(rest)
    length += rest.length
    for (const next of lines) {
      for (const message of JSON.parse(pieces.join('')) as Message[]) handle(message)
      pieces = [next]
      length = next.length
    }
    if (length > maxFrameLength) throw new Error('the frame is too long')
  }
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    try {
      take(chunk)
    } catch {
      socket.destroy(new MalformedFrameError('the other end sent a malformed frame'))
    }
  })
}
