import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { canonicalAddress } from '../http/client-address.ts'
import { sampled } from '../operations/sampled.ts'
import { clientKeys } from './client-buckets.ts'

/**
 * As Node counts: characters of a text, which take up to four bytes in memory. A page of 100 posts can take 0.5 MB, so that the
 * 2,000 connections of a network would hold a gigabyte.
 */
const defaultMaxLength = 32 * 1024 * 1024
/** So many of them are left when connections are closed. */
const keptShare = 0.75
const checkIntervalMs = 100

type Unread = { socket: Socket; network: string; length: number }

/**
 * Bounds what waits in memory for clients that read slowly or not at all, in this process: above it, connections are
 * closed, first those of the network for which the most waits. They are reset: the kernel, too, forgets what is unread.
 */
export function limitUnreadAnswers(app: FastifyInstance, maxLength = defaultMaxLength): void {
  const networks = new Map<Socket, string>()
  const noteClosed = sampled((times, closed: number) =>
    app.log.warn({ times, closed }, 'connections closed: too much waits for clients that do not read their answers'),
  )

  function check(): void {
    const unread: Unread[] = []
    for (const [socket, network] of networks) {
      if (socket.writableLength > 0) unread.push({ socket, network, length: socket.writableLength })
    }
    if (lengthOf(unread) <= maxLength) return
    const excess = ofBusiest(unread, lengthOf(unread) - maxLength * keptShare)
    for (const { socket } of excess) socket.resetAndDestroy()
    noteClosed(excess.length)
  }

  app.server.on('connection', (socket: Socket) => {
    networks.set(socket, networkOf(socket))
    socket.once('close', () => networks.delete(socket))
  })
  const timer = setInterval(check, checkIntervalMs).unref()
  app.addHook('onClose', async () => clearInterval(timer))
}

function networkOf({ remoteAddress = '' }: Socket): string {
  return remoteAddress === '' ? '' : clientKeys(canonicalAddress(remoteAddress)).network
}

const lengthOf = (unread: readonly Unread[]) => unread.reduce((sum, { length }) => sum + length, 0)

/** As few networks as have so much, those with the most first. */
function ofBusiest(unread: readonly Unread[], length: number): Unread[] {
  const byNetwork = [...Map.groupBy(unread, ({ network }) => network).values()]
  const found: Unread[] = []
  let left = length
  for (const next of byNetwork.toSorted((a, b) => lengthOf(b) - lengthOf(a)).flat()) {
    if (left <= 0) break
    left -= next.length
    found.push(next)
  }
  return found
}
