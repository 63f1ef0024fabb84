import { randomInt } from 'node:crypto'
import { connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** Below the range systems take outgoing ports from: a client that knocks on its own port would meet itself there. */
const range = { from: 20_000, to: 30_000 }

/** @throws Error if fifty tries in a row are taken */
export async function findFreePort(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const port = randomInt(range.from, range.to)
    if (await isPortFree(port)) return port
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

/** Resolves true once something accepts connections on the port, false when the signal says to stop waiting. */
export async function waitUntilListening(port: number, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    if (await acceptsConnections(port)) return true
    await delay(20)
  }
  return false
}

function acceptsConnections(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
