import { isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'

/**
 * Parses a valid IP address; an IPv4-mapped IPv6 address becomes the IPv4 address (RFC 4291, 2.5.5.2). ipaddr.js would do
 * the same with `::203.0.113.1`, the deprecated IPv4-compatible form (2.5.5.1), but not with `::0:203.0.113.1`.
 */
const parse = (ip: string) => ipaddr.process(ip.replace(/^::(?=\d+\.)/, '::0:'))

/** An address as it is stored and shown: an IPv4-mapped IPv6 address as the IPv4 address. */
export function canonicalAddress(ip: string): string {
  if (!isIPv6(ip)) return ip
  const address = parse(ip)
  return address.kind() === 'ipv4' ? address.toString() : ip
}

/** The prefix of an address, `lengthBits` a multiple of 16; undefined for IPv4. */
function prefixOf(ip: string, lengthBits: number): string | undefined {
  if (!isIPv6(ip)) return undefined
  const address = parse(ip)
  if (!(address instanceof ipaddr.IPv6)) return undefined
  const groups = address.parts.slice(0, lengthBits / 16).map((group) => group.toString(16))
  return `${groups.join(':')}::/${lengthBits}`
}

/** The key under which attempts of one client are counted: an IPv6 /64 is one household (RFC 6177). */
export const addressKey = (ip: string): string => prefixOf(ip, 64) ?? canonicalAddress(ip)

/** The IPv6 /48 of an address, a site with 65,536 households (RFC 6177); undefined for IPv4. */
export const networkKey = (ip: string): string | undefined => prefixOf(ip, 48)
