import cluster from 'node:cluster'
import type { FastifyBaseLogger } from 'fastify'
import { type AppParts, buildApp } from '../app.ts'
import type { AppConfig } from '../config.ts'
import { sharedEstimator } from '../credentials/strength.ts'
import type { Connection } from '../database/connection.ts'
import { acceptMore, logAcceptErrors } from '../http/acceptors.ts'
import type { DrainOptions } from '../http/drain.ts'
import { browserUrl, defaultOrigins } from '../http/public-origins.ts'
import type { ProcessMetrics } from '../operations/metrics.ts'
import { liveSecrets } from '../secrets/live.ts'
import type { Secrets } from '../secrets/secrets.ts'
import { checkPort, listenError } from './check-ports.ts'

export type Service = {
  url: string
  /** Resolves with the number of requests that were cut off. `isReplaced`: see http/drain.ts. */
  drain(options?: DrainOptions): Promise<number>
  close(): Promise<void>
  updateSecrets(next: Partial<Secrets>): Promise<void>
  /** Of several processes: replaces them one by one, while all requests are answered. */
  replaceProcesses?(): Promise<void>
}

export type MeasuredService = Service & { metrics(): Promise<ProcessMetrics> }

/** Connections that wait while the event loop is busy; Linux also bounds it by net.core.somaxconn. */
const backlog = 4_096

/** Several processes share one socket instead, so that a process that ends loses no connection that waits. */
const reusePort = process.platform === 'linux' && !cluster.isWorker

/** Serves the API in this process. @throws StartError when the database, HOST or PORT cannot be used */
export async function startApiServer(
  config: AppConfig,
  connection: Connection,
  log: FastifyBaseLogger,
  { name = 'Rookery', secrets = liveSecrets(config.secrets, log), ...parts }: AppParts & { name?: string } = {},
): Promise<MeasuredService> {
  // Its thread loads dictionaries while this one starts: otherwise the first sign-up waits for them.
  if (config.services.includes('accounts')) sharedEstimator.warm()
  const app = await buildApp(config, connection, log, { ...parts, secrets })
  const { host } = config
  const port = () => {
    const address = app.server.address()
    return address !== null && typeof address === 'object' ? address.port : config.port
  }
  // Fastify calls it for each address of the machine if HOST is 0.0.0.0.
  function describe(address: string): string {
    if (host !== '0.0.0.0') return `${name} listens on ${browserUrl(host, port())}`
    const origins = config.publicOrigins ?? defaultOrigins(host, port())
    const isForBrowsers = origins.includes(new URL(address).origin)
    return `${name} listens on ${address}${isForBrowsers ? '' : ' (browsers: add it to PUBLIC_ORIGIN)'}`
  }
  try {
    // With SO_REUSEPORT, another server of this user would share the port instead of failing.
    if (reusePort) await checkPort(config)
    const options = { host, port: config.port, backlog, reusePort, listenTextResolver: describe }
    await app.listen(options)
    if (reusePort) await acceptMore(app.server, backlog)
    logAcceptErrors(app.server, log)
    const url = browserUrl(host, port())
    return {
      url,
      drain: (options) => app.drain(options),
      close: () => app.close(),
      updateSecrets: (next) => secrets.update(next),
      metrics: () => app.metrics.getMetricsAsJSON(),
    }
  } catch (error) {
    await app.close()
    throw listenError(error, config)
  }
}
