import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

const count = 10_000
/** Each from a network of its own (127.1.n.0/24), so that no limit of one client applies. */
const addresses = 40
const batch = 200
const request = 'GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'

/** Opens 10,000 connections to a server, which send a request each and stay open: without one, the server ends them. */
export async function openManyConnections(url: string) {
  const port = Number(new URL(url).port)
  const sockets: Socket[] = []
  const statuses = new Map<string, number>()
  const countStatus = (line: string) => statuses.set(line, (statuses.get(line) ?? 0) + 1)
  while (sockets.length < count) {
    const opened = Array.from({ length: batch }, (_, n) => {
      const socket = connect({ port, host: '127.0.0.1', localAddress: `127.1.${n % addresses}.1` })
      socket.on('error', () => undefined)
      socket.once('data', (chunk) => countStatus(chunk.toString().slice(9, 12)))
      socket.resume()
      return socket
    })
    sockets.push(...opened)
    await Promise.all(opened.map((socket) => Promise.race([once(socket, 'connect'), once(socket, 'close')])))
    for (const socket of opened) if (!socket.destroyed) socket.write(request)
  }
  return {
    statuses,
    open: () => sockets.filter(({ destroyed }) => !destroyed).length,
    close: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}
