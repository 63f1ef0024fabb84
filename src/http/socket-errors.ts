import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionError, FastifyInstance } from 'fastify'
import { newId } from '../database/ids.ts'
import { endConnection } from './end-connection.ts'
import { headersTooLarge, invalid, maxUrlLength, methodNotAllowed, Problem, uriTooLong } from './problems.ts'

const closeDelayMs = 1_000

// A request line from its start, or the end of one that began in an earlier packet, but not a long header.
const overlongUrl = new RegExp(`^(?:[A-Z-]+ \\S{${maxUrlLength + 1}}|\\S{${maxUrlLength + 1},} HTTP/1\\.\\d\\r\\n)`)

function socketProblem({ code, rawPacket }: ConnectionError): Problem {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new Problem('request-timeout', 'Send the headers within 10 seconds and the complete request within 30.')
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    // Fastify types the packet as a Buffer's JSON form; it is the Buffer that Node read last.
    const packet = Buffer.isBuffer(rawPacket) ? rawPacket.toString('latin1') : ''
    return overlongUrl.test(packet) ? uriTooLong() : headersTooLarge()
  }
  return invalid({ pointer: '', detail: 'The request must be valid HTTP/1.1.' })
}

// Node's own handlers read these undocumented fields: the current response, and the request being parsed.
export type ParsedSocket = Socket & {
  _httpMessage?: ServerResponse | null
  parser?: { incoming: IncomingMessage | null } | null
}

/** Creates the handler of requests that Node rejects: it answers on the socket, with `headers`, and closes it. */
export function answerOnSocket(headers: Readonly<Record<string, string>>) {
  return function answer(this: FastifyInstance, error: ConnectionError, socket: ParsedSocket): void {
    if (error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    // Otherwise Node would handle the rest of a late request after its 408.
    socket.removeAllListeners('data').on('data', () => undefined)
    const { _httpMessage: current, parser } = socket
    if (current?.req.complete) {
      // An earlier request is still being answered: the client would take this response for that request's.
      current.once('close', () => answer.call(this, error, socket))
      return
    }
    // Never a second response after one that has started, nor after the response to an incomplete request.
    if (current ? current.headersSent : parser?.incoming?.complete === false) {
      socket.destroy()
      return
    }
    if (!socket.writable) return
    const problem = socketProblem(error)
    const id = newId()
    this.countRejected(problem.code)
    this.log.info({ reqId: id, code: problem.code }, 'request rejected on the socket')
    endWith(problem, id, socket, headers)
  }
}

function endWith(problem: Problem, id: string, socket: Socket, headers: Readonly<Record<string, string>>): void {
  const body = JSON.stringify(problem.body(id))
  const head = {
    ...headers,
    ...problem.headers,
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'x-request-id': id,
    'cache-control': 'no-store',
    connection: 'close',
  }
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}`)
  socket.write([`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`, ...lines, '', body].join('\r\n'))
  endConnection(socket, closeDelayMs)
}

/** Node passes CONNECT to no request handler, and no longer listens to the socket. */
export function refuseConnect(headers: Readonly<Record<string, string>>) {
  return (_: IncomingMessage, socket: ParsedSocket): void => {
    socket.on('error', () => undefined).on('data', () => undefined)
    // The client would take this response for that of an earlier request.
    if (socket._httpMessage) socket.destroy()
    else endWith(methodNotAllowed(''), newId(), socket, headers)
  }
}
