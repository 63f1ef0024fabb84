import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { FastifyBaseLogger } from 'fastify'
import type { NoteRefusal } from '../database/access-refusals.ts'
import { isDatabaseOutOfReach, OutcomeUnknownError, OverloadedError } from '../database/failures.ts'
import type { GroupCommit } from './group-commit.ts'
import { type Failure, fromMachineTime, type Request, type Response, receive, sender } from './ipc.ts'
import type { Submission } from './operation.ts'

/** Listens until its result is called. Only our own user may enter the folder of `path`: connections are trusted. */
export async function serveWriter(
  path: string,
  queue: GroupCommit<Submission, unknown>,
  log: FastifyBaseLogger,
  noteRefusal: NoteRefusal,
): Promise<() => void> {
  function toFailure(error: unknown): Failure {
    if (error instanceof OverloadedError) return 'overloaded'
    if (noteRefusal(error)) return 'refused'
    if (error instanceof OutcomeUnknownError) return 'unknown'
    if (isDatabaseOutOfReach(error)) return 'unavailable'
    log.error({ err: error }, 'write failed')
    return 'failed'
  }

  const server = createServer((socket) => {
    const respond = sender<Response>(socket)
    receive<Request>(socket, ([n, submission, deadline]) => {
      queue.submit(submission, fromMachineTime(deadline)).then(
        (result) => respond([n, result]),
        (error) => respond([n, null, toFailure(error)]),
      )
    })
    // The peer has exited: its submissions are written nevertheless.
    socket.on('error', () => socket.destroy())
  })
  await rm(path, { force: true })
  // exclusive: node:cluster would otherwise open the socket in the primary, where it would outlive this process.
  server.listen({ path, exclusive: true })
  await once(server, 'listening')
  return () => void server.close()
}
