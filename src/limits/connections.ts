import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { Counter, Gauge } from 'prom-client'
import { canonicalAddress } from '../http/client-address.ts'
import { trustedRanges } from '../http/forwarded.ts'
import type { ParsedSocket } from '../http/socket-errors.ts'
import { sampled } from '../operations/sampled.ts'
import { clientKeys, networkFactor } from './client-buckets.ts'
import { tokenBuckets } from './token-bucket.ts'

/** Shares of the server's maxConnections: above the first, some are closed until the second is left. */
const tightShare = 0.8
const relaxedShare = 0.75
/** A scan looks at every connection. */
const scanIntervalMs = 100

/**
 * Node accepts a few connections in each turn of the event loop, so that a client that opens and leaves many makes those of all
 * others wait. An address may open so many at once, or twice what it may have at a time, and then a tenth of it a second.
 */
const minBurst = 1_000
const burstSeconds = 10

/** The connections of an address or /64, oldest first. */
type Client = { address: string; network: string; sockets: Set<ParsedSocket> }

type Options = { perAddress: number; trustedProxies: readonly string[] }

/**
 * Bounds the connections of each address and network, and before the server is full closes those that it can spare, first those
 * of the address that has the most. Connections of trusted proxies, which carry many clients, count for the total alone.
 */
export function limitConnections(app: FastifyInstance, { perAddress, trustedProxies }: Options): void {
  const { server } = app
  const isTrusted = trustedRanges(trustedProxies)
  const clients = new Map<string, Client>()
  const ofNetworks = new Map<string, number>()
  const open = new Set<Socket>()
  const closed = measure(app, () => open.size)
  let nextScanMs = 0
  const noteRefused = sampled((connections, ip: string) =>
    app.log.warn({ ip, connections }, 'connections refused: an address or network has, or opens, too many'),
  )
  const noteScan = sampled((scans) =>
    app.log.warn({ scans, open: open.size }, 'connections closed: nearly as many are open as the server accepts'),
  )

  function add(socket: ParsedSocket, address: string, network: string): void {
    const client = clients.get(address) ?? { address, network, sockets: new Set() }
    clients.set(address, client)
    client.sockets.add(socket)
    ofNetworks.set(network, (ofNetworks.get(network) ?? 0) + 1)
    socket.once('close', () => remove(socket, client))
  }

  function remove(socket: ParsedSocket, { address, network, sockets }: Client): void {
    open.delete(socket)
    if (!sockets.delete(socket)) return
    if (sockets.size === 0) clients.delete(address)
    const left = (ofNetworks.get(network) ?? 0) - 1
    if (left > 0) ofNetworks.set(network, left)
    else ofNetworks.delete(network)
  }

  const burst = Math.max(minBurst, 2 * perAddress)
  const arrivals = (quota: number) =>
    tokenBuckets({ name: 'connections', description: 'connections', quota, windowSeconds: burstSeconds })
  const ofAddress = arrivals(burst)
  const ofNetwork = arrivals(burst * networkFactor)

  function isTooFast(address: string, network: string): boolean {
    if (ofAddress.isEmpty(address) || ofNetwork.isEmpty(network)) return true
    ofAddress.settle(address)
    ofNetwork.settle(network)
    return false
  }

  function faultOf(address: string, network: string): 'rate' | 'address' | 'network' | undefined {
    if (isTooFast(address, network)) return 'rate'
    if ((clients.get(address)?.sockets.size ?? 0) >= perAddress) return 'address'
    return (ofNetworks.get(network) ?? 0) >= perAddress * networkFactor ? 'network' : undefined
  }

  function makeRoom(): void {
    if (open.size <= server.maxConnections * tightShare || performance.now() < nextScanMs) return
    nextScanMs = performance.now() + scanIntervalMs
    const excess = Math.ceil(open.size - server.maxConnections * relaxedShare)
    for (const [socket, client] of sparedByBusiest([...clients.values()], excess)) {
      remove(socket, client)
      closed.inc({ reason: 'idle' })
      // The kernel would keep what is unread.
      if (socket.writableLength > 0) socket.resetAndDestroy()
      else socket.destroy()
    }
    noteScan()
  }

  server.on('connection', (socket: Socket) => {
    // Node compares the connections of each socket that listens: see http/acceptors.ts.
    if (open.size >= server.maxConnections) {
      socket.destroy()
      server.emit('drop')
      return
    }
    open.add(socket)
    socket.once('close', () => open.delete(socket))
    const ip = canonicalAddress(socket.remoteAddress ?? '')
    if (ip !== '' && !isTrusted(ip)) {
      const { address, network } = clientKeys(ip)
      const fault = faultOf(address, network)
      if (fault === undefined) add(socket, address, network)
      else {
        open.delete(socket)
        closed.inc({ reason: fault })
        noteRefused(ip)
        socket.destroy()
      }
    }
    makeRoom()
  })
  server.on('drop', () => {
    closed.inc({ reason: 'full' })
    makeRoom()
  })
}

/** At most so many connections that the server can spare, always of an address that has the most left. */
function sparedByBusiest(clients: readonly Client[], count: number): [ParsedSocket, Client][] {
  const found: [ParsedSocket, Client][] = []
  const entries = clients.map((client) => ({ client, spared: sparedOf(client) }))
  // By the number of their connections: each round takes one from those that have the most.
  const bySize = Map.groupBy(entries, ({ client }) => client.sockets.size)
  for (let size = Math.max(0, ...bySize.keys()); size > 0; size -= 1) {
    const smaller = bySize.get(size - 1) ?? []
    for (const entry of bySize.get(size) ?? []) {
      const next = entry.spared.next()
      if (next.done) continue
      found.push([next.value, entry.client])
      if (found.length === count) return found
      smaller.push(entry)
    }
    bySize.set(size - 1, smaller)
  }
  return found
}

/**
 * Those without a request in progress, then those whose client does not read what waits for it, then those whose request is
 * incomplete: each of these may take 30 seconds.
 */
function* sparedOf({ sockets }: Client): Generator<ParsedSocket, void> {
  for (const socket of sockets) if (!socket._httpMessage) yield socket
  for (const socket of sockets) if (socket._httpMessage && socket.writableLength > 0) yield socket
  for (const socket of sockets)
    if (socket._httpMessage?.req.complete === false && socket.writableLength === 0) yield socket
}

function measure(app: FastifyInstance, countOpen: () => number) {
  new Gauge({
    name: 'rookery_connections',
    help: 'Open connections of clients.',
    registers: [app.metrics],
    collect() {
      this.set(countOpen())
    },
  })
  return new Counter({
    name: 'rookery_connections_closed_total',
    help: 'Connections closed because an address, a network or the server has or opens too many, or because it could spare them while it had nearly too many.',
    labelNames: ['reason'],
    registers: [app.metrics],
  })
}
