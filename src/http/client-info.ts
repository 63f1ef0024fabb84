import { isIP } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { canonicalAddress } from './client-address.ts'
import { clientLeft } from './problems.ts'

export type ClientInfo = { ip: string; userAgent: string }

declare module 'fastify' {
  interface FastifyRequest {
    client: ClientInfo
  }
}

/** Reads each request's address as soon as it arrives: once the client has disconnected, the socket has none. */
export function readClientInfo(app: FastifyInstance): void {
  app.decorateRequest('client')
  app.addHook('onRequest', async (request) => {
    const peer = request.socket.remoteAddress
    if (peer === undefined) throw clientLeft()
    // A proxy may send a value that is not an IP address.
    const ip = canonicalAddress(isIP(request.ip) ? request.ip : peer)
    request.client = { ip, userAgent: (request.headers['user-agent'] ?? '').slice(0, 256) }
  })
}
