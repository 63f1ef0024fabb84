import { connect, type Socket } from 'node:net'
import { OverloadedError, TransactionTimeoutError } from '../database/failures.ts'
import { lastAnswer, transactionPatience } from '../database/transaction.ts'
import { type Entry, makeWriter, perhapsWritten, type Writer } from '../write-operations.ts'
import { mostWaiting } from './group-commit.ts'
import { type Failure, type Request, type Response, receive, sender, toMachineTime } from './ipc.ts'

type Pending = {
  entry: Entry
  deadline: number
  resolve(answer: unknown): void
  reject(error: Error): void
}

/** Between two tries to reach a writer, in milliseconds. */
const reconnectAfter = 25
/** How often it is looked for what has waited too long, in milliseconds. */
const lookEvery = 100

/** The errors that a writer in this process would throw. */
function errorOf(failure: Failure): Error {
  if (failure === 'unavailable') return new TransactionTimeoutError('the writer got no commit in time')
  if (failure === 'overloaded') return new OverloadedError('too many writes are waiting at the writer')
  return new Error('the writer failed: its own log says why')
}

/**
 * Writes in the writer's process, over a Unix socket. When the writer dies, what it had not answered is given to the
 * next one, marked as perhaps written; nothing is given up before its time.
 */
export function remoteWriter(path: string): Writer & { close(): void } {
  const pending = new Map<number, Pending>()
  let count = 0
  let closed = false
  let current: Socket | undefined
  let send: ((request: Request) => void) | undefined

  function open(): void {
    const socket = connect(path)
    receive<Response>(socket, settle)
    socket.once('connect', () => {
      send = sender(socket)
      for (const [n, one] of pending) give(n, one)
    })
    // What went wrong is told by 'close' as well.
    socket.on('error', () => undefined)
    socket.once('close', () => {
      if (send) for (const one of pending.values()) one.entry = perhapsWritten(one.entry)
      send = undefined
      if (!closed) setTimeout(open, reconnectAfter).unref()
    })
    current = socket
  }

  function give(n: number, { entry, deadline }: Pending): void {
    send?.([n, entry, toMachineTime(deadline)])
  }

  function settle([n, answer, failure]: Response): void {
    const one = pending.get(n)
    pending.delete(n)
    if (failure === undefined) one?.resolve(answer)
    else one?.reject(errorOf(failure))
  }

  function dropLate(): void {
    const now = performance.now()
    for (const [n, { deadline, reject }] of pending) {
      // In order of their numbers, and so of their deadlines.
      if (deadline + lastAnswer > now) break
      pending.delete(n)
      reject(new TransactionTimeoutError('the writer did not answer in time'))
    }
  }

  const looking = setInterval(dropLate, lookEvery).unref()
  open()

  const writer = makeWriter((entry) => {
    if (pending.size >= mostWaiting) return Promise.reject(new OverloadedError('too many writes are waiting'))
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const one = { entry, deadline: performance.now() + transactionPatience, resolve, reject }
    count += 1
    pending.set(count, one)
    give(count, one)
    return promise
  })
  return {
    ...writer,
    close() {
      closed = true
      clearInterval(looking)
      current?.destroy()
    },
  }
}
