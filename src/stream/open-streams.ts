import { overloaded } from '../http/problems.ts'
import { clientKeys, networkFactor } from '../limits/client-buckets.ts'
import { type Limit, rateLimited } from '../limits/headers.ts'

/** Of the 10,000 connections of a process: the others are for requests. */
const defaultMaxStreams = 5_000
const retrySeconds = 10

type Stream = { giveWay(): void }

/** Their streams are in the order in which they began. */
type Network = { size: number; addresses: Map<string, Set<Stream>> }

const limitOf = (by: 'address' | 'network', quota: number): Limit => ({
  name: `streams-by-${by}`,
  description: 'streams',
  quota,
  windowSeconds: retrySeconds,
  detail: `At most ${quota} streams can be open at a time from one ${by}: close one first.`,
})

/** The one with the most. */
function largest<Item>(items: Iterable<Item>, sizeOf: (item: Item) => number): Item | undefined {
  let found: Item | undefined
  for (const item of items) if (found === undefined || sizeOf(item) > sizeOf(found)) found = item
  return found
}

/**
 * Bounds the streams that are open at a time: of one address, one network, and in this process. When the process has as many
 * as it may, the youngest of the network that has the most gives way to one of a network that has fewer.
 */
export function openStreams(perAddress: number, maxStreams = defaultMaxStreams) {
  const ofAddress = limitOf('address', perAddress)
  const ofNetwork = limitOf('network', perAddress * networkFactor)
  const networks = new Map<string, Network>()
  let open = 0

  function add(ip: string, stream: Stream): void {
    const { address, network } = clientKeys(ip)
    const own = networks.get(network) ?? { size: 0, addresses: new Map<string, Set<Stream>>() }
    const streams = own.addresses.get(address) ?? new Set()
    networks.set(network, own)
    own.addresses.set(address, streams.add(stream))
    own.size += 1
    open += 1
  }

  function remove(ip: string, stream: Stream): void {
    const { address, network } = clientKeys(ip)
    const own = networks.get(network)
    const streams = own?.addresses.get(address)
    if (!own || !streams?.delete(stream)) return
    if (streams.size === 0) own.addresses.delete(address)
    own.size -= 1
    if (own.size === 0) networks.delete(network)
    open -= 1
  }

  /** The stream that gives way. With one fewer, its network still has as many as the newcomer's will have. */
  function youngestOfBusiest(newcomer: string): Stream | undefined {
    const busiest = largest(networks.values(), ({ size }) => size)
    const own = networks.get(clientKeys(newcomer).network)?.size ?? 0
    if (!busiest || busiest.size < own + 2) return undefined
    return [...(largest(busiest.addresses.values(), ({ size }) => size) ?? [])].at(-1)
  }

  /** Takes nothing. @throws Problem `rate-limited`, `overloaded` */
  function check(ip: string): void {
    const { address, network } = clientKeys(ip)
    const own = networks.get(network)
    if ((own?.addresses.get(address)?.size ?? 0) >= ofAddress.quota) throw rateLimited(ofAddress, retrySeconds)
    if ((own?.size ?? 0) >= ofNetwork.quota) throw rateLimited(ofNetwork, retrySeconds)
    if (open >= maxStreams && !youngestOfBusiest(ip)) throw overloaded('reads', retrySeconds)
  }

  return {
    check,

    /**
     * @param end - ends the stream, when it gives way to another
     * @returns what frees its place, once. @throws Problem `rate-limited`, `overloaded`
     */
    acquire(ip: string, end: () => void): () => void {
      check(ip)
      if (open >= maxStreams) youngestOfBusiest(ip)?.giveWay()
      const release = () => remove(ip, stream)
      const stream: Stream = {
        giveWay() {
          release()
          end()
        },
      }
      add(ip, stream)
      return release
    },
  }
}
