import { Agent, createServer, type IncomingMessage, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export type ProxiedRequest = {
  method: string
  path: string
  query: URLSearchParams
  cookie: string
  key: string
  body: string
}
/** `setCookie` are the headers of that name. */
export type Reply = { status: number; body: string; setCookie?: string[]; headers?: Record<string, string> }
export type Forward = (changed?: Partial<ProxiedRequest>) => Promise<Reply>

/** What a proxy does with a request: answers as the server does, or otherwise; null drops the connection. */
export type Lie = (request: ProxiedRequest, forward: Forward) => Promise<Reply | null>

export const honest: Lie = (_request, forward) => forward()

/** A reply with another JSON body. */
export function withBody<T>(reply: Reply, change: (body: T) => unknown): Reply {
  // The caller knows what the server answers on this path.
  return { ...reply, body: JSON.stringify(change(JSON.parse(reply.body) as T)) }
}

/** A reply of the proxy's own. */
export const problem = (status: number, code: string, headers: Record<string, string> = {}): Reply => ({
  ...{ status, body: JSON.stringify({ code }), headers },
})

/** Stands before an honest server, on loopback. `requests` are those that it got. */
export async function lyingProxy(target: string, lie: Lie) {
  const agent = new Agent({ keepAlive: true })
  const requests: (ProxiedRequest & { at: number })[] = []
  const server = createServer(async (incoming, response) => {
    const url = new URL(incoming.url ?? '', target)
    const request: ProxiedRequest = {
      ...{ method: incoming.method ?? '', path: url.pathname, query: url.searchParams },
      ...{ cookie: incoming.headers.cookie ?? '', key: incoming.headers['idempotency-key']?.toString() ?? '' },
      body: await text(incoming).catch(() => ''),
    }
    if (!incoming.complete) return
    requests.push({ ...request, at: Date.now() })
    const forward: Forward = (changed) => forwarded(target, agent, incoming, { ...request, ...changed })
    const reply = await lie(request, forward).catch(() => null)
    if (reply === null) return incoming.socket.destroy()
    if (reply.setCookie) response.setHeader('set-cookie', reply.setCookie)
    response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers })
    return response.end(reply.body || undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  // A listening TCP server always has an AddressInfo.
  const { port } = server.address() as AddressInfo
  const close = () => {
    server.closeAllConnections()
    server.close()
    agent.destroy()
  }
  return { url: `http://127.0.0.1:${port}`, requests, close }
}

const kept = ['x-request-id', 'rookery-session', 'retry-after', 'idempotency-replayed']

async function replyOf(answer: IncomingMessage): Promise<Reply> {
  const setCookie = answer.headers['set-cookie']
  const found = kept.flatMap((name) => {
    const value = answer.headers[name]?.toString()
    return value === undefined ? [] : [[name, value]]
  })
  const reply = { status: answer.statusCode ?? 0, body: await text(answer), headers: Object.fromEntries(found) }
  return setCookie ? { ...reply, setCookie } : reply
}

function forwarded(target: string, agent: Agent, incoming: IncomingMessage, request: ProxiedRequest): Promise<Reply> {
  const { method, path, query, cookie, key, body } = request
  const headers = {
    ...(cookie && { cookie }),
    ...(key && { 'idempotency-key': key }),
    ...(body && { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
    'user-agent': incoming.headers['user-agent'] ?? '',
  }
  const search = query.size > 0 ? `?${query}` : ''
  return new Promise((resolve, reject) => {
    const outgoing = send(new URL(`${path}${search}`, target), { method, headers, agent })
    // The server may be killed in the middle of its answer.
    outgoing.once('response', (answer) => replyOf(answer).then(resolve, reject))
    outgoing.once('error', reject)
    outgoing.end(body || undefined)
  })
}
