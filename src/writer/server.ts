import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
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

/** Listens until its result is called. Only our own user may enter the folder of `path`: connections are trusted. */
export async function serveWriter(
  path: string,
  queue: GroupCommit<Submission, unknown>,
  log: FastifyBaseLogger,
  noteRefusal: NoteRefusal,
): Promise<() => void> {
  function toFailure(error: unknown): FailureReason {
    noteRefusal(error)
    const reason = failureReasonOf(error)
    if (reason === 'failed') log.error({ err: error }, 'write failed')
    return reason
  }

  const server = createServer((socket) => {
    const responses = sender<Response>(socket)
    const respond = (response: Response) => {
      responses.send(response)
      // A process that does not read its responses submits nothing more.
      if (socket.writableNeedDrain) socket.pause()
    }
    receive<Request>(socket, ([n, submission, deadline]) => {
      const submitted = async () => queue.submit(submission, fromMachineTime(deadline))
      submitted().then(
        (result) => respond([n, result]),
        (error) => respond([n, null, toFailure(error)]),
      )
    })
    sendSignsOfLife(socket)
    socket.on('drain', () => void (socket.writableNeedDrain || socket.resume()))
    // After the peer's exit, its submissions are written nevertheless.
    socket.on('error', (error) => {
      if (error instanceof MalformedFrameError) log.error({ err: error }, 'connection of an API process closed')
    })
  })
  await rm(path, { force: true })
  // exclusive: node:cluster would otherwise open the socket in the primary, where it would outlive this process.
  server.listen({ path, exclusive: true })
  await once(server, 'listening')
  return () => void server.close()
}
