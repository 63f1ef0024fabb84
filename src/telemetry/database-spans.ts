import { context, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import { type CommandStartedEvent, type MongoClient, MongoServerError } from 'mongodb'

/** `find` names its collection in its first member, `getMore` in another; `ping` has none. */
function collectionOf({ command, commandName }: CommandStartedEvent): string | undefined {
  const name = command[commandName === 'getMore' ? 'collection' : commandName]
  return typeof name === 'string' ? name : undefined
}

/**
 * Adds a span for each command that a request causes, by the driver's own command monitoring: unlike instrumentation that
 * patches the driver, it need not be loaded first, and nothing of a command but its name and its collection is read.
 */
export function traceCommands(client: MongoClient, tracer: Tracer): void {
  /** By the driver's number of the request; each begins once and ends once. */
  const spans = new Map<number, Span>()
  client.on('commandStarted', (event) => {
    if (!trace.getActiveSpan()?.isRecording()) return
    const collection = collectionOf(event)
    const attributes = {
      'db.system.name': 'mongodb',
      'db.operation.name': event.commandName,
      ...(collection !== undefined && { 'db.collection.name': collection }),
    }
    const name = collection === undefined ? event.commandName : `${event.commandName} ${collection}`
    spans.set(event.requestId, tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, context.active()))
  })
  function end(requestId: number, failure?: Error): void {
    const span = spans.get(requestId)
    if (span === undefined) return
    spans.delete(requestId)
    if (failure) {
      span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', failure.name)
      if (failure instanceof MongoServerError) span.setAttribute('db.response.status_code', String(failure.code))
    }
    span.end()
  }
  client.on('commandSucceeded', ({ requestId }) => end(requestId))
  client.on('commandFailed', ({ requestId, failure }) => end(requestId, failure))
}
