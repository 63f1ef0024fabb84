import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import type { Config } from '../config.ts'
import { acceptsConnections } from '../embedded-mongod/port.ts'
import { metricsPortError } from '../operations/metrics.ts'
import { StartError } from '../start-error.ts'

type Address = { host: string; port: number }

async function listenOn({ host, port }: Address): Promise<Server> {
  const server = createServer()
  await once(server.listen({ host, port, exclusive: true }), 'listening')
  return server
}

const close = (server: Server) => new Promise((resolve) => server.close(resolve))

const firstFreeForAll = 1_024
const everyAddress = ['0.0.0.0', '::']

/**
 * Tries both before mongod is found, perhaps downloaded, and started. PORT itself is not listened on: what a balancer sends
 * in that moment would be lost.
 * @throws StartError if one port cannot be listened on
 */
export async function checkPorts({ host, port, metrics }: Pick<Config, 'host' | 'port' | 'metrics'>): Promise<void> {
  const overlap = metrics.host === host || [metrics.host, host].some((each) => everyAddress.includes(each))
  if (port !== 0 && port === metrics.port && overlap)
    throw new StartError(`PORT and METRICS_PORT are both ${port}: set another METRICS_PORT.`)
  await checkPort({ host, port })
  const server = await listenOn(metrics).catch((error) => {
    throw metricsPortError(metrics, error)
  })
  await close(server)
}

/** @throws StartError if PORT cannot be listened on */
export async function checkPort(address: Address): Promise<void> {
  const { host, port } = address
  if (port !== 0 && (await acceptsConnections(port, host))) throw portInUse(address)
  // Where it takes privileges to listen, only listening shows whether this user has them.
  const tried = port >= firstFreeForAll ? 0 : port
  const server = await listenOn({ host, port: tried }).catch((error) => {
    throw listenError(error, address)
  })
  await close(server)
}

const portInUse = ({ host, port }: Address) =>
  new StartError(
    `PORT ${port} on ${host} is already in use: stop the process that listens there, or set PORT.`,
    'out-of-reach',
  )

/** What the operator can do about an error of `listen()` on HOST and PORT. */
export function listenError(error: unknown, { host, port }: Address): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return portInUse({ host, port })
  if (code === 'EACCES')
    return new StartError(`PORT ${port} needs privileges that this user does not have: set PORT to 1024 or higher.`)
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new StartError(`HOST ${host} is not an address of this machine.`)
  return error
}
