import { request as sendHttp } from 'node:http'
import { request as sendHttps } from 'node:https'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectSecurely } from 'node:tls'
import type { RawAnswer } from '../exchange.ts'

/** A request to be sent over a connection of its own. */
export type RawRequest = {
  url: URL
  method: string
  headers: Record<string, string>
  body: string | undefined
  ca: string | undefined
  timeoutMs: number
}

/** Sends a request, but for its end if `isWhole` is false, and cuts the connection `afterMs` later. Never rejects. */
export function cutRequest(request: RawRequest, isWhole: boolean, afterMs: number): Promise<void> {
  const { url, ca, timeoutMs } = request
  const isSecure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port) || (isSecure ? 443 : 80)
  const socket = isSecure
    ? connectSecurely({ host, port, ...(ca && { ca }), rejectUnauthorized: true })
    : connect({ host, port })
  socket.setTimeout(timeoutMs, () => socket.destroy())
  socket.on('error', () => undefined)
  const bytes = isWhole ? wholeOf(request) : beginningOf(request)
  socket.once(isSecure ? 'secureConnect' : 'connect', () => {
    socket.write(bytes, () => setTimeout(() => socket.destroy(), afterMs))
  })
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

/** Sends a request and reads its answer with a pause before each part. @throws when there is none */
export async function readSlowly(request: RawRequest, pauseMs: number): Promise<RawAnswer> {
  const { url, method, headers, body, ca, timeoutMs } = request
  const send = url.protocol === 'https:' ? sendHttps : sendHttp
  return await new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const outgoing = send(url, { method, headers, agent: false, signal, ...(ca && { ca }) }, (answer) => {
      const read = async () => {
        const chunks: Buffer[] = []
        await sleep(pauseMs)
        for await (const chunk of answer) {
          chunks.push(chunk)
          await sleep(pauseMs)
        }
        return { statusCode: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks).toString() }
      }
      read().then(resolve, reject)
    })
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

function wholeOf({ url, method, headers, body = '' }: RawRequest): Buffer {
  const fields = Object.entries({ host: url.host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`${method} ${url.pathname}${url.search} HTTP/1.1\r\n${fields.join('')}\r\n${body}`)
}

/** Without half of the body, or without the end of the headers. */
function beginningOf(request: RawRequest): Buffer {
  const whole = wholeOf(request)
  const bodyLength = Buffer.byteLength(request.body ?? '')
  return whole.subarray(0, whole.length - (bodyLength > 0 ? Math.ceil(bodyLength / 2) : 6))
}
