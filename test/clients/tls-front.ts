import { type AddressInfo, connect } from 'node:net'
import { pipeline } from 'node:stream'
import { createServer } from 'node:tls'
import type { Test } from 'tap'

/**
 * Ends TLS for several names on one port: what comes for a name goes on, byte by byte, to the port of loopback that
 * `ports` has for it, so that not a header is added or lost.
 */
export async function tlsFront(t: Test, certificate: { cert: string; key: string }) {
  const ports = new Map<unknown, number>()
  const server = createServer(certificate, (socket) => {
    const port = ports.get(socket.servername)
    // How either side ends is none of our affair.
    if (port === undefined) socket.destroy()
    else pipeline(socket, connect(port, '127.0.0.1'), socket, () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve)))
  const { port } = server.address() as AddressInfo // TCP always
  return { port, ports }
}
