import { Agent, type IncomingHttpHeaders, request } from 'node:http'

/** One request, complete. */
export type Sent = { method: string; path: string; headers: Record<string, string>; body?: string | Buffer }

export type Answer = { status: number; headers: IncomingHttpHeaders; body: Buffer }

const concurrency = 8
/** More sockets than requests at a time: a stream ends with its connection. */
const agent = new Agent({ keepAlive: true, maxSockets: 2 * concurrency })

/** The bytes of a request, about as they are sent. */
export const bytesOf = ({ method, path, headers, body = '' }: Sent): number =>
  Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0) +
  method.length +
  path.length +
  ' HTTP/1.1\r\n\r\n'.length +
  Buffer.byteLength(body)

/** An answer without an end, such as a stream, ends with its headers. */
export function exchange(port: number, { method, path, headers, body }: Sent): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }
  const outgoing = request({ host: '127.0.0.1', port, method, path, headers: { ...length, ...headers }, agent })
  outgoing.on('error', reject)
  outgoing.on('response', (incoming) => {
    const answer = { status: incoming.statusCode ?? 0, headers: incoming.headers }
    if (incoming.headers['content-type']?.includes('event-stream')) {
      incoming.destroy()
      return resolve({ ...answer, body: Buffer.alloc(0) })
    }
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('error', reject)
    incoming.on('end', () => resolve({ ...answer, body: Buffer.concat(chunks) }))
  })
  outgoing.end(body)
  return promise
}

/** Sends requests, a few at a time. @returns how many were answered with each status; 0 stands for no answer */
export async function sendAll(port: number, requests: readonly Sent[]): Promise<Map<number, number>> {
  const statuses = new Map<number, number>()
  const left = requests.values()
  const sendSome = async () => {
    for (const sent of left) {
      // A refusal can end the connection before all of a body is sent.
      const status = await exchange(port, sent).then(
        (answer) => answer.status,
        () => 0,
      )
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, sendSome))
  return statuses
}

export const closeConnections = (): void => agent.destroy()
