import { isIP } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { canonicalAddress } from './client-address.ts'
import { clientLeft } from './problems.ts'

/** Where a request comes from, as limits count it and sessions and the activity keep it. */
export type ClientInfo = { ip: string; userAgent: string }

declare module 'fastify' {
  interface FastifyRequest {
    client: ClientInfo
  }
}

/**
 * Notes where each request comes from, at once: a socket that is gone has no address any more, and what a client asked
 * for before it hung up, to log out for one, is done all the same.
 */
export function readClientInfo(app: FastifyInstance): void {
  app.decorateRequest('client')
  app.addHook('onRequest', async (request) => {
    const peer = request.socket.remoteAddress
    if (peer === undefined) throw clientLeft()
    // What a proxy hands on may be no address at all.
    const ip = canonicalAddress(isIP(request.ip) ? request.ip : peer)
    request.client = { ip, userAgent: (request.headers['user-agent'] ?? '').slice(0, 256) }
  })
}
