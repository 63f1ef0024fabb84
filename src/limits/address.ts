import { isIP, isIPv6 } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { clientLeft } from '../http/problems.ts'

/** An address as it is kept and shown: an IPv4 address inside IPv6 is the IPv4 address (RFC 4291, 2.5.5.2). */
export const ipAddress = (ip: string): string => ip.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')

/** What counts as one address when attempts are counted: an IPv6 /64 is one household (RFC 6177). */
export function addressKey(ip: string): string {
  const address = ipAddress(ip)
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('%', 1).join('').split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups =
    tail === undefined ? before : [...before, ...Array(8 - before.length - after.length).fill('0'), ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

/**
 * The address a request comes from.
 * @throws Problem when the client has left: whatever Fastify's type says, a socket that is gone has no address.
 */
export function addressOf(request: FastifyRequest): string {
  const peer = request.socket.remoteAddress
  if (peer === undefined) throw clientLeft()
  // What a proxy hands on may be no address at all.
  return ipAddress(isIP(request.ip) ? request.ip : peer)
}
