import type { IncomingMessage } from 'node:http'
import type { Fault } from './problems.ts'

// RFC 9110, 7.2
const hostAndPort = /^[\w.~!$&'()*+,;=%:[\]-]*$/

/** Finds framing that Node accepts and a proxy might parse differently: request smuggling (RFC 9112, 2.3, 3.2, 6.1). */
export function findFramingFault({ rawHeaders, headers, httpVersion }: IncomingMessage): Fault | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0')
    return { pointer: '', detail: 'The request must be valid HTTP/1.1.' }
  const isHost = (text: string, n: number) => n % 2 === 0 && text.length === 4 && text.toLowerCase() === 'host'
  const hostCount = rawHeaders.filter(isHost).length
  const host = { pointer: '/headers/host' }
  if (hostCount > 1 || (hostCount === 0 && httpVersion === '1.1'))
    return { ...host, detail: 'Must be given exactly once.' }
  if (!hostAndPort.test(headers.host ?? '')) return { ...host, detail: 'Must be a valid host.' }
  const { 'transfer-encoding': coding } = headers
  if (coding !== undefined && (coding.toLowerCase() !== 'chunked' || httpVersion === '1.0')) {
    return { pointer: '/headers/transfer-encoding', detail: 'Must be chunked and sent over HTTP/1.1.' }
  }
  return undefined
}
