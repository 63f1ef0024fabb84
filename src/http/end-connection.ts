import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** For the client to read what it has been sent, and to close. */
const defaultCloseMs = 30_000

/**
 * Ends a connection, and resets it if its client has not closed it by then. Otherwise the kernel would keep what the client
 * never reads, up to 4 MB, for five minutes, and no limit would count it.
 */
export function endConnection(socket: Socket, closeMs = defaultCloseMs): void {
  socket.end()
  const timer = setTimeout(() => socket.resetAndDestroy(), closeMs).unref()
  socket.once('close', () => clearTimeout(timer))
}

/** Ends a server's connections with {@link endConnection}: after an answer that closes, and when they are idle. */
export function endConnectionsOf(server: Server, closeMs?: number): void {
  server.on('connection', (socket: Socket) => {
    // Node calls it after the answer.
    socket.destroySoon = () => endConnection(socket, closeMs)
  })
  server.on('timeout', (socket: Socket) => {
    if (socket.writableLength > 0) socket.resetAndDestroy()
    else endConnection(socket, closeMs)
  })
}
