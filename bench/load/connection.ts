import { once } from 'node:events'
import { connect } from 'node:net'

/** A keep-alive connection with one request at a time. */
export type Connection = {
  /** Resolves when the connection is open. */
  open: Promise<unknown>
  send(request: Uint8Array): void
  close(): void
}

const endOfHead = '\r\n\r\n'
const lengthHeader = 'content-length: '

/** The end of the first response in the text, or -1 while it is incomplete. */
function endOf(text: string): number {
  const head = text.indexOf(endOfHead)
  if (head === -1) return -1
  const at = text.indexOf(lengthHeader)
  if (at === -1 || at > head) throw new Error(`a response without content-length: ${text.slice(0, head)}`)
  const from = at + lengthHeader.length
  const end = head + endOfHead.length + Number(text.slice(from, text.indexOf('\r', from)))
  return text.length < end ? -1 : end
}

/**
 * Opens a connection that does only what a measurement needs, so that the load itself uses little CPU.
 * @param onResponse - called with the status and the text of each response.
 * @param onBroken - called when the connection ends before it is closed.
 */
export function openConnection(
  port: number,
  onResponse: (status: number, response: string) => void,
  onBroken: (error: Error) => void,
): Connection {
  let rest = ''
  let closed = false
  const onRead = (length: number, buffer: Uint8Array): boolean => {
    const text = rest + Buffer.from(buffer.buffer, buffer.byteOffset, length).toString('latin1')
    const end = endOf(text)
    rest = end === -1 ? text : text.slice(end)
    // "HTTP/1.1 200 OK"
    if (end !== -1) onResponse(Number(text.slice(9, 12)), text)
    return true
  }
  const socket = connect({
    host: '127.0.0.1',
    port,
    noDelay: true,
    // Reads into one buffer, without a stream.
    onread: { buffer: Buffer.alloc(16_384), callback: onRead },
  })
  let failure = new Error('the server closed a connection')
  socket.on('error', (error) => {
    failure = error
  })
  socket.on('close', () => {
    if (!closed) onBroken(failure)
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
