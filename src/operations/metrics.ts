import { createServer } from 'node:http'
import { isIP } from 'node:net'
import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import { AggregatorRegistry, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { SecretAge } from '../secrets/refresh.ts'
import { StartError } from '../start-error.ts'
import { measureProcess } from './process-metrics.ts'
import { measureRequests } from './request-metrics.ts'

type Address = { host: string; port: number }

declare module 'fastify' {
  interface FastifyInstance {
    metrics: Registry
  }
}

/** @param process - a name for this process among those of the server */
export function createRegistry(process: string): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  measureProcess(registry, process)
  return registry
}

export function measureSecretAges(registry: Registry, ages: () => SecretAge[]): void {
  const gauge = new Gauge({
    name: 'rookery_secret_age_seconds',
    help: 'Seconds since a secret was last read from its source.',
    labelNames: ['secret'],
    aggregator: 'max',
    registers: [registry],
    collect() {
      for (const { secret, seconds } of ages()) gauge.set({ secret }, seconds)
    },
  })
}

type Options = {
  address: Address | undefined
  process?: string | undefined
  secretAges?: (() => SecretAge[]) | undefined
}

/** Measures and serves metrics. Without an address, the primary of the cluster serves them: serveClusterMetrics. */
export const metrics = fp<Options>(async (app, { address, process = 'server', secretAges }) => {
  const registry = createRegistry(process)
  if (secretAges) measureSecretAges(registry, secretAges)
  measureRequests(app, registry)
  app.addHook('onClose', async () => registry.clear())
  app.decorate('metrics', registry)
  if (address === undefined) return

  // Not in onListen: Fastify only logs errors there, and the server would run without metrics.
  let close = async () => {}
  app.addHook('onReady', async () => {
    close = await serveMetrics(address, registry.contentType, () => registry.metrics(), app.log)
  })
  app.addHook('onClose', () => close())
})

export type ProcessMetrics = Awaited<ReturnType<Registry['getMetricsAsJSON']>>

/** Serves the sum of all processes' metrics until its result is called. @throws StartError if the port is taken */
export function serveClusterMetrics(
  address: Address,
  collect: () => Promise<ProcessMetrics[]>,
  log: FastifyBaseLogger,
): Promise<() => Promise<void>> {
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

const plainText = { 'content-type': 'text/plain; charset=utf-8' }
const otherHost = 'Send a Host that is an IP address, localhost or the name in METRICS_HOST.\n'

/** Against DNS rebinding: a page whose own name resolves to loopback sends that name. */
function isOwnHost(header: string | undefined, ownHost: string): boolean {
  const name = /^(?:\[([^\]]+)\]|([^:]+))(?::\d{1,5})?$/
    .exec(header ?? '')
    ?.slice(1)
    .find(Boolean)
  if (name === undefined) return false
  return isIP(name) !== 0 || ['localhost', ownHost.toLowerCase()].includes(name.toLowerCase())
}

/** On a separate port, by default on loopback: metrics disclose too much about the traffic to be public. */
async function serveMetrics(
  { host, port }: Address,
  contentType: string,
  read: () => Promise<string>,
  log: FastifyBaseLogger,
): Promise<() => Promise<void>> {
  const server = createServer(async (request, response) => {
    if (!isOwnHost(request.headers.host, host)) return void response.writeHead(421, plainText).end(otherHost)
    if (request.method !== 'GET' || request.url !== '/metrics') return void response.writeHead(404).end()
    const text = await read().catch((error) => void log.warn({ err: error }, 'metrics could not be collected'))
    if (text === undefined) return void response.writeHead(503).end()
    response.writeHead(200, { 'content-type': contentType }).end(text)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => {
      reject(metricsPortError({ host, port }, error))
    })
    server.listen(port, host, resolve)
  })
  log.debug({ address: server.address() }, 'serving metrics')
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
}

export function metricsPortError({ host, port }: Address, error: Error): StartError {
  const reason = 'code' in error ? String(error.code) : error.message
  return new StartError(
    `METRICS_PORT ${port} on ${host} is not available (${reason}): set another port, or 0 for any.`,
    'out-of-reach',
  )
}
