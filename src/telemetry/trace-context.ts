import { context, defaultTextMapGetter, propagation, type TextMapPropagator } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'

const w3c = new W3CTraceContextPropagator()

/** Reads `traceparent`, of which an invalid one begins a new trace. `tracestate` would pass a client's text on. */
const traceparentOnly: TextMapPropagator = {
  extract: (parent, carrier, getter) =>
    w3c.extract(parent, { traceparent: getter.get(carrier, 'traceparent') }, defaultTextMapGetter),
  inject: (active, carrier, setter) => w3c.inject(active, carrier, setter),
  fields: () => ['traceparent'],
}

/** Of the process, because @fastify/otel uses OpenTelemetry's global ones. They hold nothing, and stay. */
export function useTraceContext(): void {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager())
  propagation.setGlobalPropagator(traceparentOnly)
}
