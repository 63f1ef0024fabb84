import { randomInt } from 'node:crypto'
import { connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** Below the ephemeral range, where a client that connects to a free port can connect to itself. */
const range = { from: 20_000, to: 30_000 }

export async function findFreePort(taken: readonly number[] = []): Promise<number> {
  for (let attempts = 0; attempts < 50; attempts++) {
    const port = randomInt(range.from, range.to)
    if (!taken.includes(port) && (await isPortFree(port))) return port
  }
  throw new Error('no free port on the loopback interface')
}

export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.on('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/** @param host - an address of every interface (0.0.0.0, ::) stands for loopback */
export async function waitUntilListening(port: number, signal: AbortSignal, host = '127.0.0.1'): Promise<boolean> {
  while (!signal.aborted) {
    if (await acceptsConnections(port, host)) return true
    await delay(20)
  }
  return false
}

/** Whether something listens there. */
export function acceptsConnections(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    socket.on('connect', () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
