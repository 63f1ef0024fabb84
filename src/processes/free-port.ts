import { once } from 'node:events'
import { createServer } from 'node:net'

/** A free port of the host, chosen by the system; 0 if the host cannot be listened on: listen() then reports why. */
export async function freePort(host: string): Promise<number> {
  const server = createServer()
  try {
    await once(server.listen(0, host), 'listening')
    const address = server.address()
    return address !== null && typeof address === 'object' ? address.port : 0
  } catch {
    return 0
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}
