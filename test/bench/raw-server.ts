import { createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A server on loopback that calls `onData` whenever a connection sends something. @returns its port */
export async function rawServer(t: Test, onData: (socket: Socket) => unknown): Promise<number> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('data', () => onData(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  return typeof address === 'object' && address ? address.port : 0
}
