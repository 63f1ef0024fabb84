import { type AddressInfo, connect } from 'node:net'
import { pipeline } from 'node:stream'
import { createServer } from 'node:tls'
import type { Test } from 'tap'

/**
 * A proxy that terminates TLS for several names on one port, and forwards the bytes unchanged to the loopback port
 * that `ports` has for the name.
 */
export async function tlsProxy(t: Test, certificate: { cert: string; key: string }) {
  const ports = new Map<unknown, number>()
  const server = createServer(certificate, (socket) => {
    const port = ports.get(socket.servername)
    // Either side may end the connection in any way.
    if (port === undefined) socket.destroy()
    else pipeline(socket, connect(port, '127.0.0.1'), socket, () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  const { port } = server.address() as AddressInfo // TCP always
  return { port, ports }
}
