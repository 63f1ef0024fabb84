import { isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'

// ipaddr.js mistakes the IPv4-compatible `::203.0.113.1` (RFC 4291, 2.5.5.1) for an IPv4-mapped address (2.5.5.2), and
// throws for a zone such as `%br-lan` or `%eth0.100` (RFC 4007, 11).
const parse = (ip: string) => ipaddr.process(ip.replace(/%.*$/, '').replace(/^::(?=\d+\.)/, '::0:'))

/** Whether two texts name one address. */
export const isSameAddress = (a: string, b: string): boolean => a === b || parse(a).toString() === parse(b).toString()

/** An address as it is stored and shown: an IPv4-mapped IPv6 address as the IPv4 address. */
export function canonicalAddress(ip: string): string {
  if (!isIPv6(ip)) return ip
  const address = parse(ip)
  return address.kind() === 'ipv4' ? address.toString() : ip
}

function prefixOf(ip: string, lengthBits: number): string | undefined {
  if (!isIPv6(ip)) return undefined
  const address = parse(ip)
  if (!(address instanceof ipaddr.IPv6)) return undefined
  const groups = address.parts.slice(0, lengthBits / 16).map((group) => group.toString(16))
  return `${groups.join(':')}::/${lengthBits}`
}

/** The key under which one client's attempts are counted: an IPv6 /64 is one household (RFC 6177). */
export const addressKey = (ip: string): string => prefixOf(ip, 64) ?? canonicalAddress(ip)

/** The IPv6 /48 of an address, a site with 65,536 households (RFC 6177), or the IPv4 /24. */
export const networkKey = (ip: string): string => prefixOf(ip, 48) ?? canonicalAddress(ip).replace(/\.\d+$/, '.0/24')
