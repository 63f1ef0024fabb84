import { FastifyOtelInstrumentation } from '@fastify/otel'
import { context, isSpanContextValid } from '@opentelemetry/api'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { MongoClient } from 'mongodb'
import { isFrequent } from '../operations/logging.ts'
import type { TracingConfig } from './config.ts'
import { traceCommands } from './database-spans.ts'
import { spanExport } from './span-export.ts'
import { useTraceContext } from './trace-context.ts'

/** The ids that find a request's trace from a line of its log. */
function logTrace(request: FastifyRequest): void {
  const ids = request.opentelemetry().span?.spanContext()
  if (ids && isSpanContextValid(ids)) request.log = request.log.child({ trace_id: ids.traceId, span_id: ids.spanId })
}

/**
 * Traces all requests but the frequent ones, and their commands to MongoDB. Register it before the hooks and routes that it
 * is to trace. Loaded only where it is on.
 */
export async function traceRequests(app: FastifyInstance, config: TracingConfig) {
  useTraceContext()
  const { provider, close } = spanExport(config, app.log)
  const instrumentation = new FastifyOtelInstrumentation({
    // A hook has no span of its own: there are 20 for each request.
    instrumentHooks: false,
    instrumentHandler: false,
    recordExceptions: false,
    ignorePaths: ({ url }) => isFrequent(url.split('?', 1)[0] ?? ''),
    requestHook(span, { id, method, routeOptions }) {
      span.updateName(routeOptions.url === undefined ? method : `${method} ${routeOptions.url}`)
      span.setAttribute('http.response.header.x-request-id', [id])
    },
  })
  instrumentation.setTracerProvider(provider)
  await app.register(instrumentation.plugin())
  app.addHook('onRequest', async (request, reply) => {
    logTrace(request)
    const { span } = request.opentelemetry()
    // Only of a request whose answer was never begun: otherwise @fastify/otel has ended it.
    reply.raw.once('close', () => {
      if (span?.isRecording()) span.setAttribute('http.response.status_code', 499).end()
    })
  })
  // The events that a body arrives with do not belong to the request's asynchronous context.
  app.addHook('preValidation', (request, _reply, done) => {
    const { context: own } = request.opentelemetry()
    if (own) context.with(own, done)
    else done()
  })
  app.addHook('onClose', close)
  const tracer = provider.getTracer('rookery')
  return { observeClient: (client: MongoClient) => traceCommands(client, tracer) }
}
