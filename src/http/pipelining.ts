import { type IncomingMessage, METHODS, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

const maxPipelined = 100

const methods = new Set(METHODS)

/**
 * Handles a connection's requests one after another (RFC 9112, 9.3.2), and none after a response that closes it (9.6).
 * Node would start all that have arrived, and buffer the responses of a client that does not read.
 */
export function handleInOrder(handle: Handler): Handler {
  const pipelinedOn = new WeakMap<Socket, number>()
  const start: Handler = (request, response) => {
    if (request.socket.writable) handle(request, response)
  }
  return (request, response) => {
    // Node's parser accepts RTSP methods too, which cannot be registered with the router.
    if (!methods.has(request.method ?? '')) request.method = 'OPTIONS'
    // Node assigns the socket to one response at a time.
    if (response.socket !== null) return start(request, response)
    const { socket } = request
    const pipelined = pipelinedOn.get(socket) ?? 0
    if (pipelined === maxPipelined) return void socket.destroy()
    pipelinedOn.set(socket, pipelined + 1)
    response.once('socket', () => {
      pipelinedOn.set(socket, (pipelinedOn.get(socket) ?? 0) - 1)
      // setImmediate, so that one connection's requests do not delay those of all others.
      setImmediate(start, request, response)
    })
  }
}
