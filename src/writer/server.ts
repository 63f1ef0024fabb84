import { once } from 'node:events'
import { rename, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { NoteRefusal } from '../database/access-refusals.ts'
import type { GroupCommit } from './group-commit.ts'
import {
  fromMachineTime,
  MalformedFrameError,
  type Request,
  type Response,
  receive,
  sender,
  sendSignsOfLife,
} from './ipc.ts'
import { type FailureReason, failureReasonOf } from './observer.ts'
import type { Submission } from './operation.ts'

type WriterServer = {
  /** Takes no more submissions, and closes each connection after its answers: the next writer gets the rest. */
  drain(): Promise<void>
  close(): void
}

/** What the socket's path has at its end until the server listens, and how long it can be: Linux has pids up to 2²². */
const ownSuffix = `.${process.pid}`
export const maxSuffixBytes = 8

/**
 * Once it has resolved, new connections to `path` reach this server and no earlier one. Only our own user may enter the
 * folder of `path`: connections are trusted.
 */
export async function serveWriter(
  path: string,
  queue: GroupCommit<Submission, unknown>,
  log: FastifyBaseLogger,
  noteRefusal: NoteRefusal,
): Promise<WriterServer> {
  const sockets = new Set<Socket>()
  let unanswered = 0
  let isDraining = false
  let whenIdle = () => {}

  function toFailure(error: unknown): FailureReason {
    noteRefusal(error)
    const reason = failureReasonOf(error)
    if (reason === 'failed') log.error({ err: error }, 'write failed')
    return reason
  }

  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    const responses = sender<Response>(socket)
    const respond = (response: Response) => {
      responses.send(response)
      // A process that does not read its responses submits nothing more.
      if (socket.writableNeedDrain) socket.pause()
    }
    receive<Request>(socket, ([n, submission, deadline]) => {
      const submitted = async () => queue.submit(submission, fromMachineTime(deadline))
      unanswered += 1
      submitted()
        .then(
          (result) => respond([n, result]),
          (error) => respond([n, null, toFailure(error)]),
        )
        .finally(() => {
          unanswered -= 1
          if (unanswered === 0) whenIdle()
        })
    })
    sendSignsOfLife(socket)
    socket.on('drain', () => void (isDraining || socket.writableNeedDrain || socket.resume()))
    // After the peer's exit, its submissions are written nevertheless.
    socket.on('error', (error) => {
      if (error instanceof MalformedFrameError) log.error({ err: error }, 'connection of an API process closed')
    })
  })
  // Under a name of its own, which close() removes: the socket of the next writer may have `path` by then.
  const ownPath = `${path}${ownSuffix}`
  await rm(ownPath, { force: true })
  // exclusive: node:cluster would otherwise open the socket in the primary, where it would outlive this process.
  server.listen({ path: ownPath, exclusive: true })
  await once(server, 'listening')
  await rename(ownPath, path)
  return {
    async drain() {
      isDraining = true
      for (const socket of sockets) socket.pause()
      const idle = new Promise<void>((resolve) => {
        whenIdle = resolve
      })
      if (unanswered > 0) await idle
      // The answers of this turn are written in the next one.
      await nextTurn()
      await nextTurn()
      for (const socket of sockets) socket.end()
    },
    close: () => void server.close(),
  }
}
