import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { stopParsing } from './stop-parsing.ts'

/** Per connection and second: at this rate the 500 connections of one address take a quarter of a core. */
const maxChunks = 256
const windowMs = 1_000

const windows = new WeakMap<Socket, { since: number; chunks: number }>()

function countOn(socket: Socket): number {
  const now = performance.now()
  const found = windows.get(socket)
  const window = found && now - found.since < windowMs ? found : { since: now, chunks: 0 }
  windows.set(socket, window)
  window.chunks += 1
  return window.chunks
}

/**
 * Ends a connection that sends too many chunks. Each costs 2 µs, whatever its size, and Node parses all that it has read
 * from a connection before it serves the next one: chunks of one byte on 100 connections block the event loop for seconds.
 * @param onChunk - gets the length of each
 */
export function boundChunks(request: IncomingMessage, onChunk?: (length: number) => void): void {
  if (request.headers['transfer-encoding'] === undefined) return
  const { socket } = request
  const push = request.push.bind(request)
  request.push = (chunk: Buffer | null, encoding) => {
    if (chunk === null) return push(chunk, encoding)
    if (socket.destroyed) return true
    onChunk?.(chunk.length)
    if (countOn(socket) <= maxChunks) return push(chunk, encoding)
    stopParsing(socket)
    return true
  }
  // Node calls this to discard a body that the handler did not read; its own version would bypass `push`.
  Object.assign(request, { _dump: () => request.removeAllListeners('data').resume() })
}
