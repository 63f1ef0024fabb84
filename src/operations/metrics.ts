import { createServer } from 'node:http'
import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import { AggregatorRegistry, collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import { StartError } from '../start-error.ts'

type Address = { host: string; port: number }

declare module 'fastify' {
  interface FastifyInstance {
    metrics: Registry
  }
}

export function makeRegistry(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return registry
}

/**
 * Metrics in Prometheus's text format.
 * @param address - where they are served; if it is not given, the primary asks for `app.metrics`: see serveClusterMetrics.
 */
export const metrics = fp<{ address: Address | undefined }>(async (app, { address }) => {
  const registry = makeRegistry()
  const durations = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'How long requests took, by method, route and status.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  })
  app.addHook('onResponse', async (request, reply) => {
    // The route, never the path: its parameters would make a time series of every id.
    const route = request.routeOptions.url ?? 'unknown'
    durations.observe({ method: request.method, route, status: reply.statusCode }, reply.elapsedTime / 1000)
  })
  app.addHook('onClose', async () => registry.clear())
  app.decorate('metrics', registry)
  if (address === undefined) return

  // Not at onListen: Fastify only logs what goes wrong there, and the server would run without its metrics.
  let close = async () => {}
  app.addHook('onReady', async () => {
    close = await serveMetrics(address, registry.contentType, () => registry.metrics(), app.log)
  })
  app.addHook('onClose', () => close())
})

/** The metrics of one process, as they go to another. */
export type Measured = Awaited<ReturnType<Registry['getMetricsAsJSON']>>

/**
 * In the primary: serves the metrics of all its processes, added up.
 * @param collect - asks those that answer.
 * @returns what ends it.
 */
export function serveClusterMetrics(
  address: Address,
  collect: () => Promise<Measured[]>,
  log: FastifyBaseLogger,
): Promise<() => Promise<void>> {
  // Whoever asks while they are being collected is given the same.
  let collecting: Promise<string> | undefined
  const read = () => {
    collecting ??= collect()
      .then((all) => AggregatorRegistry.aggregate(all).metrics())
      .finally(() => {
        collecting = undefined
      })
    return collecting
  }
  return serveMetrics(address, Registry.PROMETHEUS_CONTENT_TYPE, read, log)
}

/** On a port of their own that only this machine reaches: they tell too much about the traffic to stand beside the API. */
async function serveMetrics(
  { host, port }: Address,
  contentType: string,
  read: () => Promise<string>,
  log: FastifyBaseLogger,
): Promise<() => Promise<void>> {
  const server = createServer(async (request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') return void response.writeHead(404).end()
    const text = await read().catch((error) => void log.warn({ err: error }, 'no metrics'))
    if (text === undefined) return void response.writeHead(503).end()
    response.writeHead(200, { 'content-type': contentType }).end(text)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(
        new StartError(
          `METRICS_PORT ${port} on ${host} cannot be listened on (${codeOf(error)}): set another, or 0 for any.`,
        ),
      )
    })
    server.listen(port, host, resolve)
  })
  log.debug({ address: server.address() }, 'metrics')
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
}

const codeOf = (error: Error) => ('code' in error ? String(error.code) : error.message)
