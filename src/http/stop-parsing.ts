import type { Socket } from 'node:net'

// Undocumented names. If Node renames them, the socket is still destroyed, but the rest of the read is parsed for nothing.
type Parser = Record<string, unknown>
const callbacks = new Set(['parserOnHeaders', 'parserOnHeadersComplete', 'parserOnBody', 'parserOnMessageComplete'])

/**
 * Destroys a socket, and makes Node's parser skip the rest of what has been read from it: up to 64 KiB, which can hold 1,700
 * requests or 11,000 chunks, and would be parsed in one turn of the event loop.
 */
export function stopParsing(socket: Socket & { parser?: Parser | null }): void {
  const { parser } = socket
  const called = Object.entries(parser ?? {}).filter(
    ([, value]) => typeof value === 'function' && callbacks.has(value.name),
  )
  if (parser) {
    for (const [name] of called) parser[name] = null
    // Before Node reuses the parser for another connection.
    setImmediate(() => Object.assign(parser, Object.fromEntries(called)))
  }
  socket.destroy()
}
