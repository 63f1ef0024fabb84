import { type IncomingMessage, METHODS, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** How many requests one connection may send ahead of their answers. */
const mostAhead = 100

const methods = new Set(METHODS)

/**
 * Handles a connection's requests one after the other (RFC 9112, 9.3.2): Node would begin all that have arrived, and
 * keep in memory what nobody reads. Those that come after an answer that closes the connection are not handled (9.6).
 */
export function inOrder(handle: Handler): Handler {
  const ahead = new WeakMap<Socket, number>()
  const begin: Handler = (request, response) => {
    if (request.socket.writable) handle(request, response)
  }
  return (request, response) => {
    // The parser takes RTSP's methods as well, which the router cannot be told of.
    if (!methods.has(request.method ?? '')) request.method = 'OPTIONS'
    // Node gives the socket to one response at a time.
    if (response.socket !== null) return begin(request, response)
    const { socket } = request
    const waiting = ahead.get(socket) ?? 0
    if (waiting === mostAhead) return void socket.destroy()
    ahead.set(socket, waiting + 1)
    response.once('socket', () => {
      ahead.set(socket, (ahead.get(socket) ?? 0) - 1)
      // At once, one connection's would all be handled before anybody else is heard.
      setImmediate(begin, request, response)
    })
  }
}
