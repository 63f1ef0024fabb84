import type { FastifyInstance } from 'fastify'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

declare module 'fastify' {
  interface FastifyInstance {
    /** Counts requests that were answered before their route began. */
    countRejected(code: string, requests?: number): void
  }
}

/** Rate, errors and duration of the requests of each route, those of clients that left included (status 499). */
export function measureRequests(app: FastifyInstance, registry: Registry): void {
  const registers = [registry]
  const durations = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Request duration in seconds by method, route and status; 499: the client left before the answer.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  })
  let inProgress = 0
  new Gauge({
    name: 'rookery_requests_in_progress',
    help: 'Requests that have begun and are not answered.',
    registers,
    collect() {
      this.set(inProgress)
    },
  })
  const rejected = new Counter({
    name: 'rookery_requests_rejected_total',
    help: 'Requests answered before their route began, by code.',
    labelNames: ['code'],
    registers,
  })
  app.decorate('countRejected', (code: string, requests = 1) => rejected.inc({ code }, requests))
  app.addHook('onRequest', async (request, reply) => {
    inProgress += 1
    reply.raw.once('close', () => {
      inProgress -= 1
      // The route, never the path: every id would become a time series of its own.
      const { url: route, config } = request.routeOptions
      // One client could make thousands of time series of the 34 methods that Node parses, and a scrape take a second.
      const method = route === undefined || config.refusesMethod ? 'other' : request.method
      const status = reply.raw.writableFinished ? reply.statusCode : 499
      durations.observe({ method, route: route ?? 'unknown', status }, reply.elapsedTime / 1000)
    })
  })
}
