import type { IncomingMessage } from 'node:http'
import { canonicalAddress } from '../http/client-address.ts'
import { forwardedClient, trustedRanges } from '../http/forwarded.ts'
import { type ClientKeys, clientKeys } from './client-buckets.ts'

/**
 * Tells whose a request is before Fastify sees it: the client that a trusted proxy names, or else the peer.
 * @returns a function that returns undefined once the client has disconnected
 */
export function requestClient(trustedProxies: readonly string[]): (request: IncomingMessage) => ClientKeys | undefined {
  const isTrusted = trustedRanges(trustedProxies)
  return ({ headers, socket: { remoteAddress } }) => {
    if (remoteAddress === undefined) return undefined
    const peer = canonicalAddress(remoteAddress)
    const client = isTrusted(peer) ? forwardedClient(headers, peer, isTrusted) : undefined
    return clientKeys(client?.outcome === 'found' ? client.ip : peer)
  }
}
