import { type IncomingMessage, METHODS, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { stopParsing } from './stop-parsing.ts'
import { boundChunks } from './tiny-chunks.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse) => void

const maxPipelined = 100
/** Of their headers and bodies: 100 with headers of 16 KiB would hold 1.5 MB for each connection. */
const maxPipelinedBytes = 128 * 1024

const methods = new Set(METHODS)

const bytesOf = ({ url = '', rawHeaders, headers }: IncomingMessage): number =>
  rawHeaders.reduce((bytes, { length }) => bytes + length, url.length + (Number(headers['content-length'] ?? 0) || 0))

/**
 * Handles a connection's requests one after another (RFC 9112, 9.3.2), and none after a response that closes it (9.6).
 * Node would start all that have arrived, and buffer the responses of a client that does not read.
 * @param delayMsOf - for how long a request waits when its turn has come, in milliseconds
 * @param admit - may answer a request instead, before it waits
 */
export function handleInOrder(
  handle: Handler,
  delayMsOf: (request: IncomingMessage) => number,
  admit: (handle: Handler) => Handler,
): Handler {
  const pipelinedOn = new WeakMap<Socket, { requests: number; bytes: number }>()
  const handleOfPresent: Handler = (request, response) => {
    if (request.socket.writable) handle(request, response)
  }
  const start = admit((request, response) => {
    const delayMs = delayMsOf(request)
    if (delayMs === 0) handleOfPresent(request, response)
    else setTimeout(handleOfPresent, delayMs, request, response).unref()
  })
  return (request, response) => {
    // Node's parser accepts RTSP methods too, which cannot be registered with the router.
    if (!methods.has(request.method ?? '')) request.method = 'OPTIONS'
    const { socket } = request
    const pipelined = pipelinedOn.get(socket) ?? { requests: 0, bytes: 0 }
    // Node assigns the socket to one response at a time.
    let isWaiting = response.socket === null
    let bytes = bytesOf(request)
    boundChunks(request, (length) => {
      if (!isWaiting) return
      bytes += length
      pipelined.bytes += length
      if (pipelined.bytes > maxPipelinedBytes) stopParsing(socket)
    })
    if (!isWaiting) return start(request, response)
    if (pipelined.requests === maxPipelined || pipelined.bytes + bytes > maxPipelinedBytes) return stopParsing(socket)
    pipelined.requests += 1
    pipelined.bytes += bytes
    pipelinedOn.set(socket, pipelined)
    response.once('socket', () => {
      isWaiting = false
      pipelined.requests -= 1
      pipelined.bytes -= bytes
      // setImmediate, so that one connection's requests do not delay those of all others.
      setImmediate(start, request, response)
    })
  }
}
