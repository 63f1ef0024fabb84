import { isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Where an IPv6 address embeds an IPv4 address: in 6to4 (RFC 3056) and behind NAT64 (RFC 6052). */
const embeddings = [
  { range: ipaddr.parseCIDR('2002::/16'), firstPart: 1 },
  { range: ipaddr.parseCIDR('64:ff9b::/96'), firstPart: 6 },
] as const

// ipaddr.js mistakes the IPv4-compatible `::203.0.113.1` (RFC 4291, 2.5.5.1) for an IPv4-mapped address (2.5.5.2), and
// throws for a zone such as `%br-lan` or `%eth0.100` (RFC 4007, 11).
const parse = (ip: string) => ipaddr.process(ip.replace(/%.*$/, '').replace(/^::(?=\d+\.)/, '::0:'))

export const isSameAddress = (a: string, b: string): boolean => a === b || parse(a).toString() === parse(b).toString()

/** An address as it is stored and shown: an IPv4-mapped IPv6 address as the IPv4 address. */
export function canonicalAddress(ip: string): string {
  if (!isIPv6(ip)) return ip
  const address = parse(ip)
  return address.kind() === 'ipv4' ? address.toString() : ip
}

/** What clients are told apart by. With one IPv4 address, a client has all IPv6 addresses that embed it. */
function keyedAddress(ip: string): string | ipaddr.IPv6 {
  if (!isIPv6(ip)) return ip
  const address = parse(ip)
  if (!(address instanceof ipaddr.IPv6)) return address.toString()
  const embedding = embeddings.find(({ range }) => address.match(range))
  if (!embedding) return address
  const { firstPart } = embedding
  const embedded = address.parts.slice(firstPart, firstPart + 2)
  return embedded.flatMap((part) => [part >> 8, part & 0xff]).join('.')
}

function prefixOf({ parts }: ipaddr.IPv6, lengthBits: number): string {
  const groups = parts.slice(0, Math.ceil(lengthBits / 16))
  const spareBits = groups.length * 16 - lengthBits
  const masked = groups.map((group, n) => (n === groups.length - 1 ? (group >> spareBits) << spareBits : group))
  return `${masked.map((group) => group.toString(16)).join(':')}::/${lengthBits}`
}

/** The key under which one client's attempts are counted: an IPv6 /64 is one household (RFC 6177). */
export function addressKey(ip: string): string {
  const address = keyedAddress(ip)
  return typeof address === 'string' ? address : prefixOf(address, 64)
}

/** The networks of an address, the widest first: the IPv6 /48, a site (RFC 6177), and /56, or the IPv4 /24. */
export function networkKeys(ip: string): readonly [string, ...string[]] {
  const address = keyedAddress(ip)
  if (typeof address === 'string') return [address.replace(/\.\d+$/, '.0/24')]
  return [prefixOf(address, 48), prefixOf(address, 56)]
}

export const networkKey = (ip: string): string => networkKeys(ip)[0]
