import { connect, type Socket } from 'node:net'
import {
  AccessRefusedError,
  OutcomeUnknownError,
  OverloadedError,
  TransactionTimeoutError,
} from '../database/failures.ts'
import { transactionTimeoutMs } from '../database/transaction.ts'
import { commitReplyMs } from '../database/transaction-deadline.ts'
import { silenceMeter } from '../silence-meter.ts'
import { maxQueued } from './group-commit.ts'
import { type Request, type Response, receive, type Sender, sender, toMachineTime } from './ipc.ts'
import type { FailureReason } from './observer.ts'
import { markRetry, type Submission, type Submit } from './operation.ts'

type Pending = {
  submission: Submission
  deadline: number
  isSent: boolean
  /** A writer exited without an answer: it may have written what the next one refuses to write. */
  isUnanswered: boolean
  resolve(result: unknown): void
  reject(error: Error): void
}

const reconnectMs = 25
const expiryCheckMs = 100

function toError(failure: FailureReason, { isUnanswered }: Pending): Error {
  if (failure === 'unknown' || (isUnanswered && failure !== 'failed')) {
    return new OutcomeUnknownError('the writer does not know whether it was committed')
  }
  if (failure === 'refused') return new AccessRefusedError("the writer's database user was refused")
  if (failure === 'late') return new TransactionTimeoutError('the writer did not commit in time')
  if (failure === 'overloaded') return new OverloadedError("the writer's queue is full")
  return new Error('the writer failed: see its own log')
}

/** When the writer exits, unanswered submissions go to its replacement as retries, with the same deadline. */
export function remoteSubmit(path: string): {
  submit: Submit
  silentMs(): number
  close(): void
} {
  const silence = silenceMeter()
  const pending = new Map<number, Pending>()
  let count = 0
  let closed = false
  let current: Socket | undefined
  let requests: Sender<Request> | undefined

  function open(): void {
    const socket = connect(path)
    receive<Response>(socket, settle)
    // Its frames, also the empty ones.
    socket.on('data', silence.reset)
    socket.once('connect', () => {
      requests = sender(socket, ([n]) => noteSent(n))
      for (const [n, entry] of pending) transmit(n, entry)
    })
    socket.on('error', () => undefined)
    socket.once('close', () => {
      for (const entry of pending.values()) {
        if (!entry.isSent) continue
        entry.submission = markRetry(entry.submission)
        entry.isUnanswered = true
      }
      requests = undefined
      if (!closed) setTimeout(open, reconnectMs).unref()
    })
    current = socket
  }

  /** While the writer reads nothing, what waits is not sent: at its deadline it was not tried. */
  function noteSent(n: number): boolean {
    const entry = pending.get(n)
    if (entry) entry.isSent = true
    return entry !== undefined
  }

  function transmit(n: number, { submission, deadline }: Pending): void {
    requests?.send([n, submission, toMachineTime(deadline)])
  }

  function settle([n, result, failure]: Response): void {
    const entry = pending.get(n)
    pending.delete(n)
    if (failure === undefined) entry?.resolve(result)
    else entry?.reject(toError(failure, entry))
  }

  function rejectExpired(): void {
    const now = performance.now()
    for (const [n, { deadline, isSent, reject }] of pending) {
      if (deadline + commitReplyMs > now) continue
      pending.delete(n)
      reject(
        isSent
          ? new OutcomeUnknownError('the writer did not answer in time')
          : new TransactionTimeoutError('no writer was there in time'),
      )
    }
  }

  const expiryTimer = setInterval(rejectExpired, expiryCheckMs).unref()
  open()

  return {
    submit(submission, deadline = performance.now() + transactionTimeoutMs) {
      // The writer might read nothing: commands whose deadline has passed wait, too.
      if (Math.max(pending.size, requests?.waiting() ?? 0) >= maxQueued)
        return Promise.reject(new OverloadedError('too many writes are waiting'))
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      const entry = { submission, deadline, isSent: false, isUnanswered: false, resolve, reject }
      count += 1
      pending.set(count, entry)
      transmit(count, entry)
      return promise
    },
    silentMs: silence.silentMs,
    close() {
      closed = true
      silence.close()
      clearInterval(expiryTimer)
      current?.destroy()
    },
  }
}
