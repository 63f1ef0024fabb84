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
const lastChunk = '\r\n0\r\n\r\n'
/** Header names as the servers spell them: a search that ignores case costs more. */
const lengthHeaders = ['content-length: ', 'Content-Length: ']
const chunked = ['Transfer-Encoding: chunked', 'transfer-encoding: chunked']

/**
 * The end of the only response in the text, or -1 while it is incomplete. JSON has no line breaks of its own, so that
 * the last chunk is known by them.
 * @throws Error if neither its length nor chunks tell its end
 */
export function endOf(text: string): number {
  const headLength = text.indexOf(endOfHead)
  if (headLength === -1) return -1
  const head = text.slice(0, headLength)
  for (const header of lengthHeaders) {
    const at = head.indexOf(header)
    if (at === -1) continue
    const end = headLength + endOfHead.length + Number.parseInt(head.slice(at + header.length), 10)
    return text.length < end ? -1 : end
  }
  if (!chunked.some((header) => head.includes(header))) throw new Error(`a response of unknown length: ${head}`)
  return text.endsWith(lastChunk) ? text.length : -1
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
