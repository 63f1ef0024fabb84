import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { sampled } from '../operations/sampled.ts'
import { canonicalAddress } from './client-address.ts'
import { forwardedClient, trustedRanges } from './forwarded.ts'
import { clientLeft, invalid } from './problems.ts'

export type ClientInfo = { ip: string; userAgent: string }

declare module 'fastify' {
  interface FastifyRequest {
    client: ClientInfo
  }
}

const forwardingHeaders = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-proto']

/** Reads each request's address as soon as it arrives: once the client has disconnected, the socket has none. */
export function readClientInfo(app: FastifyInstance, trustedProxies: readonly string[]): void {
  const isTrusted = trustedProxies.length > 0 ? trustedRanges(trustedProxies) : () => false
  const warnOnce = warningOfUntrusted(app)
  const noteRefusal = sampled((refused, peer: string, pointer: string) =>
    app.log.warn({ peer, pointer, refused }, 'requests refused: a trusted proxy sent no valid address'),
  )

  function addressOf(headers: IncomingHttpHeaders, peer: string): string {
    if (!isTrusted(peer)) {
      warnOnce(headers, peer)
      return peer
    }
    const client = forwardedClient(headers, peer, isTrusted)
    if (client.outcome === 'found') return client.ip
    noteRefusal(peer, client.fault.pointer)
    throw invalid(client.fault)
  }

  app.decorateRequest('client')
  app.addHook('onRequest', async (request) => {
    const peer = request.socket.remoteAddress
    if (peer === undefined) throw clientLeft()
    const ip = addressOf(request.headers, canonicalAddress(peer))
    request.client = { ip, userAgent: userAgentOf(request.headers) }
  })
}

/** Node reads headers as Latin-1, and permits tabs and the control characters of C1, which a terminal may obey. */
const userAgentOf = (headers: IncomingHttpHeaders) =>
  (headers['user-agent'] ?? '').slice(0, 256).replace(/\p{Cc}/gu, '?')

function warningOfUntrusted(app: FastifyInstance) {
  let isWarned = false
  return (headers: IncomingHttpHeaders, peer: string): void => {
    if (isWarned || forwardingHeaders.every((name) => headers[name] === undefined)) return
    isWarned = true
    app.log.warn({ peer }, 'forwarding headers are ignored: name your proxies in TRUSTED_PROXIES if this peer is one')
  }
}
