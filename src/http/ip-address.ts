import { isIPv6 } from 'node:net'

/** The eight groups of an IPv6 address, whatever its zone. */
function groupsOf(ip: string): number[] {
  const [address = ''] = ip.split('%', 1)
  const [head = '', tail = ''] = address.split('::')
  const read = (part: string) => (part === '' ? [] : part.split(':').flatMap(readGroup))
  const before = read(head)
  const after = read(tail)
  return [...before, ...Array(8 - before.length - after.length).fill(0), ...after]
}

/** A group in hexadecimal; or the last two, written as an IPv4 address (RFC 4291, 2.2). */
function readGroup(text: string): number[] {
  if (!text.includes('.')) return [Number.parseInt(text, 16)]
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number)
  return [a * 256 + b, c * 256 + d]
}

/** An address as it is kept and shown: an IPv4 address inside IPv6 is the IPv4 address (RFC 4291, 2.5.5.2). */
export function ipAddress(ip: string): string {
  if (!isIPv6(ip)) return ip
  const groups = groupsOf(ip)
  if (groups[5] !== 0xffff || groups.slice(0, 5).some((group) => group !== 0)) return ip
  return groups
    .slice(6)
    .flatMap((group) => [group >> 8, group & 255])
    .join('.')
}

/** The prefix of an IPv6 address; @param length - in bits, a multiple of 16. */
const prefixOf = (ip: string, length: number) =>
  `${groupsOf(ip)
    .slice(0, length / 16)
    .map((group) => group.toString(16))
    .join(':')}::/${length}`

/** What counts as one address when attempts are counted: an IPv6 /64 is one household (RFC 6177). */
export function addressKey(ip: string): string {
  const address = ipAddress(ip)
  return isIPv6(address) ? prefixOf(address, 64) : address
}

/** The IPv6 /48 of an address: a site, which has 65,536 of those households to itself (RFC 6177). */
export function networkKey(ip: string): string | undefined {
  const address = ipAddress(ip)
  return isIPv6(address) ? prefixOf(address, 48) : undefined
}
