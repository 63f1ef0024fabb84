import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionError, FastifyInstance } from 'fastify'
import { v7 } from 'uuid'
import { invalid, Problem, uriTooLong, urlLimit } from './problems.ts'

/** How long a client may take to read that it is refused, in milliseconds. */
const farewell = 1_000

// The URL from its beginning, or the end of one that began in an earlier packet; a long header is neither.
const overlongUrl = new RegExp(`^(?:[A-Z-]+ \\S{${urlLimit + 1}}|\\S{${urlLimit + 1},} HTTP/1\\.\\d\\r\\n)`)

/** What Node refuses before Fastify sees a request, as the problem that the contract has for it. */
function socketProblem({ code, rawPacket }: ConnectionError): Problem {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new Problem('request-timeout', 'Send the headers within 10 seconds and the complete request within 30.')
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    // Fastify types the packet as its JSON form; it is the Buffer that Node read last.
    const packet = Buffer.isBuffer(rawPacket) ? rawPacket.toString('latin1') : ''
    return overlongUrl.test(packet) ? uriTooLong() : new Problem('headers-too-large', 'Send at most 16 KiB of headers.')
  }
  return invalid({ pointer: '', detail: 'The request must be valid HTTP/1.1.' })
}

// Node's own handlers look there, too: whom it answers at the moment, and what it reads.
type Parsed = Socket & { _httpMessage?: ServerResponse | null; parser?: { incoming: IncomingMessage | null } | null }

/**
 * Answers on the bare socket, where no reply exists, and closes it.
 * @param headers - those of every response.
 */
export function answerOnSocket(headers: Readonly<Record<string, string>>) {
  return function answer(this: FastifyInstance, error: ConnectionError, socket: Parsed): void {
    if (error.code === 'ECONNRESET') {
      socket.destroy()
      return
    }
    // What still comes is dropped: the rest of a late request would be carried out after its 408.
    socket.removeAllListeners('data').on('data', () => undefined)
    const { _httpMessage: current, parser } = socket
    if (current?.req.complete) {
      // Asked before: its client would take our answer for that one's.
      current.once('close', () => answer.call(this, error, socket))
      return
    }
    // An answer that has begun is cut off, not continued with another; one that is out was all there is to say.
    if (current ? current.headersSent : parser?.incoming?.complete === false) {
      socket.destroy()
      return
    }
    if (!socket.writable) return
    const problem = socketProblem(error)
    const id = v7()
    this.log.info({ reqId: id, code: problem.code }, `refused on the socket: ${problem.code}`)
    const body = JSON.stringify(problem.body(id))
    const head = {
      ...headers,
      'content-type': 'application/problem+json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      'x-request-id': id,
      'cache-control': 'no-store',
      connection: 'close',
    }
    const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}`)
    socket.end([`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`, ...lines, '', body].join('\r\n'))
    // A client that goes on sending and never closes keeps nothing of ours.
    setTimeout(() => socket.destroy(), farewell).unref()
  }
}
