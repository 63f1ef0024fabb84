import type { IncomingHttpHeaders } from 'node:http'
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'
import { canonicalAddress, isSameAddress } from './client-address.ts'
import type { Fault } from './problems.ts'

type IsTrusted = (ip: string) => boolean

/** @param ranges - addresses and CIDRs */
export function trustedRanges(ranges: readonly string[]): IsTrusted {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/')
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return (ip) => list.check(ip.replace(/%.*$/, ''), isIPv4(ip) ? 'ipv4' : 'ipv6')
}

const port = '(?::(?:\\d{1,5}|_[\\w.-]+))?'
const ipv4Node = new RegExp(`^([\\d.]+)${port}$`)
const ipv6Node = new RegExp(`^\\[([^\\]]+)\\]${port}$`)

/** An address as proxies write it: alone, or with a port (RFC 7239, 6). Undefined for what names no address. */
function parseNode(node: string): string | undefined {
  const bracketed = ipv6Node.exec(node)?.[1]
  if (bracketed !== undefined && !isIPv6(bracketed)) return undefined
  const ip = bracketed ?? ipv4Node.exec(node)?.[1] ?? node
  // A zone means something on the proxy's machine only.
  return isIP(ip) === 0 ? undefined : canonicalAddress(ip.replace(/%.*$/, ''))
}

const nodesOfXForwardedFor = (header: string): string[] =>
  header
    .split(',')
    .map((node) => node.trim())
    .filter((node) => node !== '')

// A pair of an element, and what ends it. Values are read more liberally than RFC 7239, 4 has them: [::1]:80 unquoted.
const forwardedPair = /[ \t]*(?:([!#$%&'*+.^`|~\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;]+))[ \t]*)?([;,]|$)/y

/** The `for` of each element, '' where there is none; undefined if the syntax is another, or an element has two. */
function nodesOfForwarded(header: string): string[] | undefined {
  const nodes: string[] = []
  let node = ''
  let isEmpty = true
  for (forwardedPair.lastIndex = 0; ; ) {
    const pair = forwardedPair.exec(header)
    if (!pair) return undefined
    const [, name, quoted, plain, end] = pair
    if (name !== undefined) isEmpty = false
    if (name?.toLowerCase() === 'for') {
      if (node !== '') return undefined
      node = quoted?.replace(/\\(.)/g, '$1') ?? plain ?? ''
    }
    if (end === ';') continue
    if (!isEmpty) nodes.push(node)
    node = ''
    isEmpty = true
    if (end === '') return nodes
  }
}

/** The nearest address that is no trusted proxy, or the farthest one. What is beyond it, the client itself may have sent. */
function clientAmong(nodes: readonly string[], peer: string, isTrusted: IsTrusted): string | undefined {
  let client = peer
  for (const node of nodes.toReversed()) {
    if (!isTrusted(client)) break
    const ip = parseNode(node)
    if (ip === undefined) return undefined
    client = ip
  }
  return client
}

/** 20 IPv6 addresses. To read 16 KiB takes up to 1.4 ms, and a proxy that adds to a header passes on what the client sent. */
const maxLength = 1_000

const faults = {
  'x-forwarded-for': 'Must have an IP address for each proxy to pass, with or without a port.',
  forwarded: 'Must name an IP address in the "for" of each proxy to pass (RFC 7239).',
  length: `Must have at most ${maxLength.toLocaleString('en')} characters.`,
  both: 'Must name the same client as X-Forwarded-For: configure the proxy to remove the header that it does not write.',
}

/**
 * The client of a request that a trusted proxy passed on. With both headers, one of them may be what the client sent and
 * the proxy left alone: neither is preferred, and they must agree.
 */
export function forwardedClient(
  headers: IncomingHttpHeaders,
  peer: string,
  isTrusted: IsTrusted,
): { outcome: 'found'; ip: string } | { outcome: 'invalid'; fault: Fault } {
  const invalid = (pointer: 'x-forwarded-for' | 'forwarded', detail: string = faults[pointer]) =>
    ({ outcome: 'invalid', fault: { pointer: `/headers/${pointer}`, detail } }) as const

  // Node joins repeated headers with commas, and types only some names as doing so.
  const forwardedFor = [headers['x-forwarded-for'] ?? ''].flat().join()
  if (forwardedFor.length > maxLength) return invalid('x-forwarded-for', faults.length)
  const { forwarded = '' } = headers
  if (forwarded.length > maxLength) return invalid('forwarded', faults.length)
  const chain = nodesOfXForwardedFor(forwardedFor)
  const elements = nodesOfForwarded(forwarded)
  const byChain = clientAmong(chain, peer, isTrusted)
  const byElements = elements && clientAmong(elements, peer, isTrusted)
  if (byChain === undefined) return invalid('x-forwarded-for')
  if (byElements === undefined) return invalid('forwarded')
  if (elements?.length === 0) return { outcome: 'found', ip: byChain }
  if (chain.length > 0 && !isSameAddress(byChain, byElements)) return invalid('forwarded', faults.both)
  return { outcome: 'found', ip: byElements }
}
