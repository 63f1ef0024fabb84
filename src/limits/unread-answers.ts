import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { canonicalAddress } from '../http/client-address.ts'
import type { ParsedSocket } from '../http/socket-errors.ts'
import { sampled } from '../operations/sampled.ts'
import { clientKeys } from './client-buckets.ts'
import { requestClient } from './request-client.ts'

/**
 * As Node counts: characters of a text, which take up to four bytes in memory. A page of 100 posts can take 0.5 MB, so that the
 * 2,000 connections of a network would hold a gigabyte.
 */
const defaultMaxLength = 32 * 1024 * 1024
/** So many of them are left when connections are closed. */
const keptShare = 0.75
const checkIntervalMs = 100

type Options = { trustedProxies: readonly string[]; maxLength?: number }

/**
 * Bounds what waits in memory for clients that read slowly or not at all, in this process: above it, connections are
 * closed, first those of the network for which the most waits. They are reset: the kernel, too, forgets what is unread.
 * A connection of a trusted proxy counts for the client whose answer it carries.
 */
export function limitUnreadAnswers(
  app: FastifyInstance,
  { trustedProxies, maxLength = defaultMaxLength }: Options,
): void {
  const clientOf = requestClient(trustedProxies)
  const sockets = new Set<ParsedSocket>()
  const noteClosed = sampled((times, closed: number) =>
    app.log.warn({ times, closed }, 'connections closed: too much waits for clients that do not read their answers'),
  )

  function networkOf({ _httpMessage: answer, remoteAddress = '' }: ParsedSocket): string {
    const client = answer ? clientOf(answer.req) : undefined
    return (client ?? clientKeys(canonicalAddress(remoteAddress))).network
  }

  function check(): void {
    const unread = [...sockets].filter(({ writableLength }) => writableLength > 0)
    const length = lengthOf(unread)
    if (length <= maxLength) return
    const byNetwork = [...Map.groupBy(unread, networkOf).values()]
    const excess = ofBusiest(byNetwork, length - maxLength * keptShare)
    for (const socket of excess) socket.resetAndDestroy()
    noteClosed(excess.length)
  }

  app.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const timer = setInterval(check, checkIntervalMs).unref()
  app.addHook('onClose', async () => clearInterval(timer))
}

const lengthOf = (sockets: readonly Socket[]) => sockets.reduce((sum, { writableLength }) => sum + writableLength, 0)

/** As few networks as have so much, those with the most first. */
function ofBusiest(networks: readonly Socket[][], length: number): Socket[] {
  const found: Socket[] = []
  let left = length
  for (const socket of networks.toSorted((a, b) => lengthOf(b) - lengthOf(a)).flat()) {
    if (left <= 0) break
    left -= socket.writableLength
    found.push(socket)
  }
  return found
}
