import { once } from 'node:events'
import { connect } from 'node:net'

/** A connection that is kept alive: one request at a time. */
export type Connection = {
  /** Resolves when the connection is open. */
  open: Promise<unknown>
  send(request: Uint8Array): void
  close(): void
}

const endOfHead = '\r\n\r\n'
const lengthHeader = 'content-length: '

/** Where an answer ends, or -1 while it is not all there. */
function endOf(text: string): number {
  const head = text.indexOf(endOfHead)
  if (head === -1) return -1
  const at = text.indexOf(lengthHeader)
  if (at === -1 || at > head) throw new Error(`an answer without content-length: ${text.slice(0, head)}`)
  const from = at + lengthHeader.length
  const end = head + endOfHead.length + Number(text.slice(from, text.indexOf('\r', from)))
  return text.length < end ? -1 : end
}

/**
 * Opens a connection that does no more than a measurement needs, so that little of the time goes to who measures.
 * @param answered - called with the status of each answer.
 * @param broken - called when the connection ends before it is closed.
 */
export function openConnection(
  port: number,
  answered: (status: number) => void,
  broken: (error: Error) => void,
): Connection {
  let rest = ''
  let closed = false
  const take = (length: number, buffer: Uint8Array): boolean => {
    const text = rest + Buffer.from(buffer.buffer, buffer.byteOffset, length).toString('latin1')
    const end = endOf(text)
    rest = end === -1 ? text : text.slice(end)
    // "HTTP/1.1 200 OK"
    if (end !== -1) answered(Number(text.slice(9, 12)))
    return true
  }
  const socket = connect({
    host: '127.0.0.1',
    port,
    noDelay: true,
    // Reads come into one buffer, without a stream in between.
    onread: { buffer: Buffer.alloc(65_536), callback: take },
  })
  socket.on('error', broken)
  socket.on('close', () => {
    if (!closed) broken(new Error('the server closed a connection'))
  })
  return {
    open: once(socket, 'connect'),
    send: (request) => void socket.write(request),
    close() {
      closed = true
      socket.destroy()
    },
  }
}
