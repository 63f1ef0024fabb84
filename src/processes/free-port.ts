import { once } from 'node:events'
import { createServer } from 'node:net'

/** A port that the system chose and that is free now; 0 if the host cannot be listened on, which listening will tell. */
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
