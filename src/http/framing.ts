import type { IncomingMessage } from 'node:http'
import type { Fault } from './problems.ts'

/** RFC 9110, 7.2: only the characters that a host and a port are made of. */
const hostAndPort = /^[\w.~!$&'()*+,;=%:[\]-]*$/

/** What Node's parser takes, and somebody before us might read in another way (RFC 9112, 2.3, 3.2 and 6.1). */
export function faultOf({ rawHeaders, headers, httpVersion }: IncomingMessage): Fault | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0')
    return { pointer: '', detail: 'The request must be valid HTTP/1.1.' }
  const hosts = rawHeaders.filter((text, n) => n % 2 === 0 && text.length === 4 && text.toLowerCase() === 'host').length
  const host = { pointer: '/headers/host' }
  // HTTP/1.0 knew none.
  if (hosts > 1 || (hosts === 0 && httpVersion === '1.1')) return { ...host, detail: 'Must be given exactly once.' }
  if (!hostAndPort.test(headers.host ?? '')) return { ...host, detail: 'Must be a valid host.' }
  const { 'transfer-encoding': coding } = headers
  if (coding !== undefined && (coding.toLowerCase() !== 'chunked' || httpVersion === '1.0')) {
    return { pointer: '/headers/transfer-encoding', detail: 'Must be chunked and sent over HTTP/1.1.' }
  }
  return undefined
}
