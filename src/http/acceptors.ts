import { once } from 'node:events'
import { createServer, Server, type Socket } from 'node:net'
import type { FastifyBaseLogger } from 'fastify'
import { sampled } from '../operations/sampled.ts'

/** So many connections are accepted in a turn of the event loop. */
const acceptorCount = 16

const additional = new WeakMap<Server, Server[]>()

const acceptorsOf = (server: Server): Server[] => [server, ...(additional.get(server) ?? [])]

/**
 * Lets a server that listens with SO_REUSEPORT accept more than one connection in each turn of the event loop: libuv accepts
 * one for each socket that listens. While turns take 20 ms, 50 new connections a second would make those of all others wait.
 * Linux spreads connections over the sockets of a port.
 */
export async function acceptMore(server: Server, backlog: number): Promise<void> {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server does not listen on a port.')
  const listening = { host: address.address, port: address.port, backlog, reusePort: true }
  const accept = (socket: Socket) => server.emit('connection', socket)
  // As Node's HTTP server creates its own.
  const options = { allowHalfOpen: true, noDelay: true }
  const acceptors = Array.from({ length: acceptorCount - 1 }, () => createServer(options, accept))
  additional.set(server, acceptors)
  await Promise.all(acceptors.map((acceptor) => once(acceptor.listen(listening), 'listening')))
}

/** Logs a connection that the system could not accept, as without memory: without a listener the error ends the process. */
export function logAcceptErrors(server: Server, log: FastifyBaseLogger): void {
  const note = sampled((connections, error: Error) => log.warn({ err: error, connections }, 'connections not accepted'))
  for (const acceptor of acceptorsOf(server)) acceptor.on('error', note)
}

/** Connections stay open, unlike with http.Server's own close(), which ends those that are idle. */
export function stopAccepting(server: Server): void {
  for (const acceptor of acceptorsOf(server)) Server.prototype.close.call(acceptor)
}

export async function countConnections(server: Server): Promise<number> {
  const counts = await Promise.all(acceptorsOf(server).map(countOwn))
  return counts.reduce((sum, count) => sum + count, 0)
}

const countOwn = (server: Server) =>
  new Promise<number>((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  )
