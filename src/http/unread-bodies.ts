import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { endConnection } from './end-connection.ts'

/** To discard so much costs less than a new connection. */
const maxDiscardedBytes = 64 * 1024
/** For the client to read its answer: to close while bytes arrive resets the connection, and the answer might be lost. */
const closeDelayMs = 1_000

/** Without a length, tiny-chunks.ts bounds it. */
const isLong = ({ headers }: IncomingMessage) => Number(headers['content-length'] ?? 0) > maxDiscardedBytes

/** Node reads and discards what a handler has not read, for as long as a client sends. */
export function closeIfUnread(request: IncomingMessage, reply: FastifyReply): void {
  if (request.complete || !isLong(request)) return
  const { socket } = request
  reply.header('connection', 'close')
  socket.destroySoon = () => endConnection(socket, closeDelayMs)
}

/** Closes the connection of a request that was answered before its body arrived, if that is long. */
export function closeOnUnreadBodies(app: FastifyInstance): void {
  app.addHook('onSend', async ({ raw }, reply) => closeIfUnread(raw, reply))
}
