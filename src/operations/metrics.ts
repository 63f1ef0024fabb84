import { createServer } from 'node:http'
import fp from 'fastify-plugin'
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import { StartError } from '../start-error.ts'

/**
 * Metrics in Prometheus's text format, on a port of their own that only this machine reaches: they tell too much
 * about the traffic to stand beside the API.
 */
export const metrics = fp<{ host: string; port: number }>(async (app, { host, port }) => {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
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

  const server = createServer(async (request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') return void response.writeHead(404).end()
    response.writeHead(200, { 'content-type': registry.contentType }).end(await registry.metrics())
  })
  // Not at onListen: Fastify only logs what goes wrong there, and the server would run without its metrics.
  app.addHook('onReady', async () => {
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
    app.log.debug({ address: server.address() }, 'metrics')
  })
  app.addHook('onClose', async () => {
    if (!server.listening) return
    await new Promise((resolve) => {
      server.close(resolve)
      server.closeAllConnections()
    })
    registry.clear()
  })
})

const codeOf = (error: Error) => ('code' in error ? String(error.code) : error.message)
