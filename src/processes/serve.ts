import type { FastifyBaseLogger } from 'fastify'
import { buildApp, type Cluster } from '../app.ts'
import type { AppConfig } from '../config.ts'
import type { Connection } from '../database/connection.ts'
import type { Measured } from '../operations/metrics.ts'
import { StartError } from '../start-error.ts'

/** What listens, in this process or in others. */
export type Service = {
  url: string
  /** Begins nothing new, and resolves when all that was begun is answered. */
  drain(): Promise<void>
  /** Ends what is still there. */
  close(): Promise<void>
}

/** What listens in this process, and what it has measured. */
export type Serving = Service & { metrics(): Promise<Measured> }

/**
 * Serves in this process.
 *
 * @param who - begins the line of the log that tells the address.
 * @throws StartError when the database, HOST or PORT cannot be used.
 */
export async function serve(
  config: AppConfig,
  connection: Connection,
  log: FastifyBaseLogger,
  { who = 'Rookery', ...cluster }: Cluster & { who?: string } = {},
): Promise<Serving> {
  const app = await buildApp(config, connection, log, cluster)
  const { host, port } = config
  try {
    const url = await app.listen({ host, port, listenTextResolver: (address) => `${who} listens on ${address}` })
    return {
      url,
      async drain() {
        const drained = app.drain()
        // A connection whose last request began before the drain is kept alive, and would be waited for in vain.
        setInterval(() => app.server.closeIdleConnections(), 100).unref()
        await drained
      },
      close: () => app.close(),
      metrics: () => app.metrics.getMetricsAsJSON(),
    }
  } catch (error) {
    await app.close()
    throw listenFault(error, config)
  }
}

function listenFault(error: unknown, { host, port }: AppConfig): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE')
    return new StartError(`PORT ${port} on ${host} is taken: end what listens there, or set PORT.`)
  if (code === 'EACCES')
    return new StartError(`PORT ${port} may not be listened on by this user: set PORT to 1024 or more.`)
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new StartError(`HOST ${host} is no address of this machine.`)
  return error
}
