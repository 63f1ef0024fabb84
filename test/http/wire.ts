import { once } from 'node:events'
import { type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { type ProblemCode, statusOf } from '../../src/http/problems.ts'
import { password } from '../helper.ts'

/** A response as received: `body` is the parsed JSON, or undefined if it is not JSON. */
export type Answer = { status: number; headers: IncomingHttpHeaders; text: string; body: unknown }

export type RequestOptions = {
  headers?: Record<string, string>
  json?: unknown
  body?: string | Buffer
  chunked?: boolean
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Sends one request on a new connection: no cookie jar, no redirects, no retries. */
export async function ask(port: number, method: string, path: string, options: RequestOptions = {}): Promise<Answer> {
  const body = options.json === undefined ? options.body : JSON.stringify(options.json)
  const headers = {
    ...(options.json !== undefined && { 'content-type': 'application/json' }),
    ...(body !== undefined &&
      (options.chunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': Buffer.byteLength(body) })),
    ...options.headers,
  }
  const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent: false, timeout: 60_000 })
  outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer to ${method} ${path}`)))
  outgoing.end(body)
  const [incoming] = await once(outgoing, 'response')
  const chunks: Buffer[] = []
  // Its body never ends.
  if (/event-stream/.test(incoming.headers['content-type'])) incoming.destroy()
  else for await (const chunk of incoming) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString()
  return { status: incoming.statusCode, headers: incoming.headers, text, body: parsed(text) }
}

/**
 * Sends bytes on a new socket, each part in its own packet, 50 per second.
 * @param answers - after how many responses to close the socket; by default the server closes it.
 * @returns everything received.
 */
export async function rawText(
  port: number,
  parts: string | Iterable<string>,
  answers = Number.POSITIVE_INFINITY,
): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.setTimeout(60_000, () => socket.destroy(new Error('the server neither answered nor closed the connection')))
  let text = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    text += chunk
    if (answersIn(text).length >= answers) socket.end()
  })
  const closed = new Promise<void>((resolve, reject) => {
    // A reset after the response is expected: the server did not read everything that was sent.
    socket.on('error', (error) => ('code' in error ? resolve() : reject(error)))
    socket.on('close', () => resolve())
  })
  for (const part of typeof parts === 'string' ? [parts] : parts) {
    if (socket.closed) break
    socket.write(part, 'latin1')
    await sleep(20)
  }
  await closed
  socket.destroy()
  return text
}

/** Sends bytes as {@link rawText} does, and parses the responses. */
export async function raw(port: number, parts: string | Iterable<string>, answers?: number): Promise<Answer[]> {
  return answersIn(await rawText(port, parts, answers))
}

/** Parses the responses on a connection. Every response has a Content-Length, or no body. */
export function answersIn(text: string): Answer[] {
  const answers: Answer[] = []
  for (let rest = text; rest.startsWith('HTTP/1.1 '); ) {
    const end = rest.indexOf('\r\n\r\n')
    if (end === -1) break
    const [first = '', ...lines] = rest.slice(0, end).split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => [line.split(':')[0]?.toLowerCase(), line.replace(/^.*?: ?/, '')]),
    )
    const length = Number(headers['content-length'] ?? 0)
    if (rest.length < end + 4 + length) break
    const body = rest.slice(end + 4, end + 4 + length)
    const status = Number(first.split(' ')[1])
    if (status >= 200) answers.push({ status, headers, text: body, body: parsed(body) })
    rest = rest.slice(end + 4 + length)
  }
  return answers
}

const uuid7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
/** Text from a stack trace, a driver's message or a source path. */
const leaks = /\bat [\w.<>]+ \(|node:|node_modules|\.ts\b|[Mm]ongo|E11000|Error:|FST_|ECONN|zod/

/** The form itself for a text that has it; any other value unchanged, so that the diff shows it. */
const formed = (value: unknown, form: RegExp) => (typeof value === 'string' && form.test(value) ? `${form}` : value)
const forms = {
  cacheControl: /^(no-store|private, no-cache)$/,
  title: /^[A-Z][^.:]+$/,
  detail: /^[A-Z].+\.$/,
  retryAfter: /^[1-9]\d*$/,
}

/** Compares an answer with the contract's form of an error, whose members are exactly these. */
export function expectProblem(t: Test, answer: Answer | undefined, code: ProblemCode, name: string = code): void {
  if (!answer) return void t.fail(`${name}: no answer`)
  const { status, headers, text, body } = answer
  const id = headers['x-request-id']
  const isRetried = (statusOf(code) === 503 && code !== 'outcome-unknown') || statusOf(code) === 429
  const isValidation = code === 'validation'
  t.strictSame(
    {
      status,
      contentType: headers['content-type'],
      requestId: formed(id, uuid7),
      contentTypeOptions: headers['x-content-type-options'],
      cacheControl: formed(headers['cache-control'], forms.cacheControl),
      ...(isRetried && { retryAfter: formed(headers['retry-after'], forms.retryAfter) }),
      body:
        typeof body !== 'object'
          ? body
          : {
              ...body,
              title: formed(field(body, 'title'), forms.title),
              detail: formed(field(body, 'detail'), forms.detail),
              ...(isValidation && { errors: areFaults(answer) ? 'pointers and sentences' : field(body, 'errors') }),
            },
      leak: leaks.exec(text)?.[0],
    },
    {
      status: statusOf(code),
      contentType: 'application/problem+json; charset=utf-8',
      requestId: `${uuid7}`,
      contentTypeOptions: 'nosniff',
      cacheControl: `${forms.cacheControl}`,
      ...(isRetried && { retryAfter: `${forms.retryAfter}` }),
      body: {
        type: `urn:rookery:problem:${code}`,
        title: `${forms.title}`,
        status: statusOf(code),
        detail: `${forms.detail}`,
        code,
        instance: `urn:rookery:request:${id}`,
        ...(isValidation && { errors: 'pointers and sentences' }),
      },
      leak: undefined,
    },
    `${name}: a problem of this code, complete and without internals`,
  )
}

/** A member of a value of unknown type. */
export function field(body: unknown, name: string): unknown {
  return typeof body === 'object' && body !== null ? Object.getOwnPropertyDescriptor(body, name)?.value : undefined
}

/** Whether there are faults, each with a pointer and a detail that is a sentence. */
function areFaults(answer: Answer): boolean {
  const details = [field(answer.body, 'errors')].flat().map((error) => field(error, 'detail'))
  return pointersOf(answer).length > 0 && details.every((detail) => forms.detail.test(String(detail)))
}

/** The pointers of a `validation` problem. */
export function pointersOf({ body }: Answer): unknown[] {
  const errors = field(body, 'errors')
  return Array.isArray(errors) ? errors.map((error) => field(error, 'pointer')) : []
}

/** Signs up, and returns the Cookie header of the new account's session. */
export async function cookieOf(port: number, username: string): Promise<string> {
  const { status, headers } = await ask(port, 'POST', '/v1/accounts', { json: { username, password } })
  if (status !== 201) throw new Error(`sign-up answered ${status}`)
  return (headers['set-cookie'] ?? []).map((cookie) => cookie.split(';')[0]).join('; ')
}
