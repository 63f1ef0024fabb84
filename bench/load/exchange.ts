import type { Answer } from '../apis/api.ts'
import { openConnection } from './connection.ts'

/** Joins the chunks of a body. */
function unchunk(text: string): string {
  let body = ''
  for (let rest = text; ; ) {
    const lineEnd = rest.indexOf('\r\n')
    const size = Number.parseInt(rest.slice(0, lineEnd), 16)
    if (!(size > 0)) return body
    body += rest.slice(lineEnd + 2, lineEnd + 2 + size)
    rest = rest.slice(lineEnd + 2 + size + 2)
  }
}

/** The parts of a response's text. */
export function parseResponse(text: string): Answer {
  const headLength = text.indexOf('\r\n\r\n')
  const lines = text.slice(0, headLength).split('\r\n').slice(1)
  const headers = new Headers()
  for (const line of lines) {
    const colon = line.indexOf(':')
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim())
  }
  const rest = text.slice(headLength + 4)
  const body = headers.get('transfer-encoding') === 'chunked' ? unchunk(rest) : rest
  return { headers, body: JSON.parse(Buffer.from(body, 'latin1').toString()) }
}

/** A response other than 2xx. */
export class Refused extends Error {
  /** Whether the server says that it is busy and has done nothing. */
  readonly isOverload: boolean

  constructor(request: string, status: number, text: string) {
    super(`${request.slice(0, request.indexOf('\r\n'))} was answered ${text}`)
    this.isOverload = status === 503 && text.includes('urn:rookery:problem:overloaded')
  }
}

/**
 * Sends one request on a connection of its own.
 * @throws Refused if the response is not 2xx
 */
export async function exchange(port: number, request: string): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const onResponse = (status: number, text: string) => {
    if (status >= 200 && status < 300) resolve(text)
    else reject(new Refused(request, status, text))
  }
  const connection = openConnection(port, onResponse, reject)
  try {
    await connection.open
    connection.send(Buffer.from(request))
    return parseResponse(await promise)
  } finally {
    connection.close()
  }
}
