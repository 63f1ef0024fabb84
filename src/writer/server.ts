import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { FastifyBaseLogger } from 'fastify'
import { isDatabaseOutOfReach, OverloadedError } from '../database/failures.ts'
import type { Entry } from '../write-operations.ts'
import type { GroupCommit } from './group-commit.ts'
import { type Failure, fromMachineTime, type Request, type Response, receive, sender } from './ipc.ts'

/**
 * Takes what other processes of this machine want written, over a Unix socket: see remote.ts.
 *
 * @param path - in a folder that only our own user may enter: whoever connects is believed. A socket that a writer
 * before us left there is replaced.
 * @returns what ends it.
 */
export async function serveWriter(
  path: string,
  commits: GroupCommit<Entry, unknown>,
  log: FastifyBaseLogger,
): Promise<() => void> {
  function failureOf(error: unknown): Failure {
    if (error instanceof OverloadedError) return 'overloaded'
    if (isDatabaseOutOfReach(error)) return 'unavailable'
    log.error({ err: error }, 'a write failed')
    return 'failed'
  }

  const server = createServer((socket) => {
    const answer = sender<Response>(socket)
    receive<Request>(socket, ([n, entry, deadline]) => {
      commits.submit(entry, fromMachineTime(deadline)).then(
        (written) => answer([n, written]),
        (error) => answer([n, null, failureOf(error)]),
      )
    })
    // A process that died: what it gave us is written all the same, and told to nobody.
    socket.on('error', () => socket.destroy())
  })
  await rm(path, { force: true })
  // exclusive: a cluster would otherwise open the socket in its primary, which never dies with us.
  server.listen({ path, exclusive: true })
  await once(server, 'listening')
  return () => void server.close()
}
