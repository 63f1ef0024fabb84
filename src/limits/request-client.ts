import type { IncomingMessage } from 'node:http'
import { canonicalAddress } from '../http/client-address.ts'
import { forwardedClient, trustedRanges } from '../http/forwarded.ts'
import { type ClientKeys, clientKeys } from './client-buckets.ts'

/**
 * One client for all that a trusted proxy does not name: their requests, which are answered 400, must count. Not for the proxy,
 * whose health checks would wait for them, nor for an address that they choose.
 */
const unnamed: ClientKeys = { address: 'unnamed address', network: 'unnamed network' }

/**
 * Tells whose a request is before Fastify sees it: the client that a trusted proxy names, or else the peer.
 * @returns a function that returns undefined once the client has disconnected
 */
export function requestClient(trustedProxies: readonly string[]): (request: IncomingMessage) => ClientKeys | undefined {
  const isTrusted = trustedRanges(trustedProxies)
  return ({ headers, socket: { remoteAddress } }) => {
    if (remoteAddress === undefined) return undefined
    const peer = canonicalAddress(remoteAddress)
    if (!isTrusted(peer)) return clientKeys(peer)
    const client = forwardedClient(headers, peer, isTrusted)
    return client.outcome === 'found' ? clientKeys(client.ip) : unnamed
  }
}

/** As {@link requestClient}, but undefined too for a request that a peer sent for itself, or for another trusted proxy. */
export function proxiedClient(trustedProxies: readonly string[]): (request: IncomingMessage) => ClientKeys | undefined {
  const isTrusted = trustedRanges(trustedProxies)
  return ({ headers, socket: { remoteAddress } }) => {
    const peer = remoteAddress === undefined ? '' : canonicalAddress(remoteAddress)
    if (peer === '' || !isTrusted(peer)) return undefined
    const client = forwardedClient(headers, peer, isTrusted)
    if (client.outcome === 'invalid') return unnamed
    return isTrusted(client.ip) ? undefined : clientKeys(client.ip)
  }
}
