import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

/** A server that answers with what it received. @returns its address */
export async function echoService(t: Test, service: string): Promise<string> {
  const server = createServer((request, response) => {
    const { 'x-forwarded-for': forwardedFor, forwarded = null } = request.headers
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ service, url: request.url, forwardedFor, forwarded }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close().closeAllConnections())
  const { port } = server.address() as AddressInfo // TCP always
  return `127.0.0.1:${port}`
}
