import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import type { Config } from '../config.ts'
import { metricsPortError } from '../operations/metrics.ts'
import { StartError } from '../start-error.ts'

type Address = { host: string; port: number }

async function listenOn({ host, port }: Address): Promise<Server> {
  const server = createServer()
  await once(server.listen({ host, port, exclusive: true }), 'listening')
  return server
}

const close = (server: Server) => new Promise((resolve) => server.close(resolve))

/** Tries both before mongod is found, perhaps downloaded, and started. @throws StartError if one port cannot be listened on */
export async function checkPorts({ host, port, metrics }: Pick<Config, 'host' | 'port' | 'metrics'>): Promise<void> {
  await withPort({ host, port }, async () => {
    const server = await listenOn(metrics).catch((error) => {
      if (metrics.port !== port) throw metricsPortError(metrics, error)
      throw new StartError(`PORT and METRICS_PORT are both ${port}: set another METRICS_PORT.`)
    })
    await close(server)
  })
}

/** Runs `use` while PORT is taken. @throws StartError if it cannot be listened on */
export async function withPort(address: Address, use: () => Promise<void> = async () => {}): Promise<void> {
  const server = await listenOn(address).catch((error) => {
    throw listenError(error, address)
  })
  await use().finally(() => close(server))
}

/** What the operator can do about an error of `listen()` on HOST and PORT. */
export function listenError(error: unknown, { host, port }: Address): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE')
    return new StartError(
      `PORT ${port} on ${host} is already in use: stop the process that listens there, or set PORT.`,
      'out-of-reach',
    )
  if (code === 'EACCES')
    return new StartError(`PORT ${port} needs privileges that this user does not have: set PORT to 1024 or higher.`)
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new StartError(`HOST ${host} is not an address of this machine.`)
  return error
}
