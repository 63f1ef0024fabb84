import type { Socket } from 'node:net'
import type { Entry } from '../write-operations.ts'

/** Something to write: its number, the thing, and by when a commit must have begun, by the machine's clock. */
export type Request = [n: number, entry: Entry, deadline: number]

/** Why something was not written. What is unavailable, or too much, may be asked for again. */
export type Failure = 'unavailable' | 'overloaded' | 'failed'

/** What became of the request of that number. */
export type Response = [n: number, answer: unknown] | [n: number, answer: null, failure: Failure]

// Processes begin to count at their start; what they count is the same monotonic clock. A time that is told as "so long
// from now" would be wrong for whoever was stopped before hearing of it.
const start = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/** A time by `performance.now()` as every process of this machine understands it, in milliseconds. */
export const toMachineTime = (time: number): number => start + time

/** The same time by this process's `performance.now()`. */
export const fromMachineTime = (time: number): number => time - start

/**
 * Sends messages over a socket, a JSON array of them on a line. All of one turn of the event loop go together: a
 * hundred messages cost little more than one.
 */
export function sender<Message>(socket: Socket): (message: Message) => void {
  let waiting: Message[] = []
  const send = () => {
    // On a socket that is gone nobody hears anything: whoever waits for an answer gives it to the next one.
    if (socket.writable) socket.write(`${JSON.stringify(waiting)}\n`)
    waiting = []
  }
  return (message) => {
    if (waiting.length === 0) setImmediate(send)
    waiting.push(message)
  }
}

/** Hands on what the other end sends. Only our own processes can reach the socket, so it is not checked again. */
export function receive<Message>(socket: Socket, take: (message: Message) => void): void {
  let pieces: string[] = []
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    // JSON has no line feed of its own: each ends a line.
    const [rest = '', ...lines] = chunk.split('\n')
    pieces.push(rest)
    for (const next of lines) {
      for (const message of JSON.parse(pieces.join('')) as Message[]) take(message)
      pieces = [next]
    }
  })
}
