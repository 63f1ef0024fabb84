import type { Socket } from 'node:net'
import type { Submission } from './operation.ts'

export type Request = [n: number, submission: Submission, deadline: number]

/** Only after `unknown` may the write have happened, or happen yet. */
export type Failure = 'refused' | 'unavailable' | 'unknown' | 'overloaded' | 'failed'

export type Response = [n: number, result: unknown] | [n: number, result: null, failure: Failure]

// Each process counts performance.now() from its own start, on the same monotonic clock. Sending the remaining time
// instead would be wrong for a process that is stopped before it reads the message.
const start = Number(process.hrtime.bigint()) / 1e6 - performance.now()

export const toMachineTime = (time: number): number => start + time

export const fromMachineTime = (time: number): number => time - start

/** A line holds all messages of one turn of the event loop: a hundred cost little more than one. */
export function sender<Message>(socket: Socket): (message: Message) => void {
  let waiting: Message[] = []
  const flush = () => {
    // A closed socket drops them: the other end submits again to the next writer.
    if (socket.writable) socket.write(`${JSON.stringify(waiting)}\n`)
    waiting = []
  }
  return (message) => {
    if (waiting.length === 0) setImmediate(flush)
    waiting.push(message)
  }
}

/** Only our own processes can reach the socket, so messages are not validated. */
export function receive<Message>(socket: Socket, handle: (message: Message) => void): void {
  let pieces: string[] = []
  socket.setEncoding('utf8')
  socket.on('data', (chunk: string) => {
    // JSON escapes line feeds, so each one ends a line.
    const [rest = '', ...lines] = chunk.split('\n')
    pieces.push(rest)
    for (const next of lines) {
      for (const message of JSON.parse(pieces.join('')) as Message[]) handle(message)
      pieces = [next]
    }
  })
}
