import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** Runs `use` with an address whose connections go to the servers in turn. */
export async function withBalancer<T>(urls: readonly string[], use: (url: string) => Promise<T>): Promise<T> {
  const ports = urls.map((url) => Number(new URL(url).port))
  const sockets = new Set<Socket>()
  let accepted = 0
  const server = createServer((client) => {
    const upstream = connect(ports[accepted++ % ports.length] ?? 0, '127.0.0.1')
    const end = () => {
      for (const socket of [client, upstream]) {
        socket.destroy()
        sockets.delete(socket)
      }
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', end).on('close', end)
    }
    client.pipe(upstream)
    upstream.pipe(client)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo // TCP always
  try {
    return await use(`http://127.0.0.1:${port}`)
  } finally {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
}
