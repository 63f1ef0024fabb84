import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'

export type Reply = { status?: number; headers?: Record<string, string>; body?: object | string }

/** By method and path, without `/v1`. Of several replies, each request gets the next one, and the last one stays. */
export type Exchanges = Readonly<Record<string, Reply | readonly Reply[]>>

/** A server that replies as Vault's documentation shows, and records the requests. What is not recorded is 404. */
export async function recordedVault(t: Test, exchanges: Exchanges, certificate?: { cert: string; key: string }) {
  const requests: { line: string; token: string | undefined; namespace: string | undefined; body: unknown }[] = []
  const listener: RequestListener = async (request, response) => {
    const { 'x-vault-token': token, 'x-vault-namespace': namespace } = request.headers
    const line = `${request.method} ${request.url?.replace(/^\/v1\//, '')}`
    const body: unknown = JSON.parse((await text(request)) || 'null')
    requests.push({ line, token: token?.toString(), namespace: namespace?.toString(), body })
    const unknown: Reply = { status: 404, body: { errors: [] } }
    const replies = [exchanges[line] ?? unknown].flat()
    const count = requests.filter((other) => other.line === line).length
    const reply = replies[Math.min(count, replies.length) - 1]
    response.writeHead(reply?.status ?? 200, { 'content-type': 'application/json', ...reply?.headers })
    response.end(typeof reply?.body === 'object' ? JSON.stringify(reply.body) : reply?.body)
  }
  const server = certificate ? createTlsServer(certificate, listener) : createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // TCP always
  const count = (line: string) => requests.filter((request) => request.line === line).length
  return { url: `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`, port, requests, count }
}
