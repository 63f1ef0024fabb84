import { SpanKind, type SpanStatus, SpanStatusCode } from '@opentelemetry/api'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'

/** Each value is a word or a number of this program, or a request id: none is text of a client. */
const exportedAttributes: ReadonlySet<string> = new Set([
  'db.collection.name',
  'db.operation.name',
  'db.response.status_code',
  'db.system.name',
  'error.type',
  'http.request.method',
  'http.response.header.x-request-id',
  'http.response.status_code',
  'http.route',
])

/** Of a server, a 4xx is no error (OpenTelemetry's semantic conventions for HTTP spans). */
function statusOf({ kind, status, attributes }: ReadableSpan): SpanStatus {
  if (kind !== SpanKind.SERVER) return { code: status.code }
  const answered = Number(attributes['http.response.status_code'])
  return { code: answered >= 500 ? SpanStatusCode.ERROR : SpanStatusCode.UNSET }
}

/**
 * What of a span leaves the process. An allow-list, because instrumentation records more than a log may have: the path
 * with its query, and messages of errors, which quote documents.
 */
export function exportedSpan(span: ReadableSpan): ReadableSpan {
  return {
    name: span.name,
    kind: span.kind,
    spanContext: () => span.spanContext(),
    ...(span.parentSpanContext && { parentSpanContext: span.parentSpanContext }),
    startTime: span.startTime,
    endTime: span.endTime,
    duration: span.duration,
    ended: span.ended,
    status: statusOf(span),
    attributes: Object.fromEntries(Object.entries(span.attributes).filter(([name]) => exportedAttributes.has(name))),
    links: [],
    events: [],
    resource: span.resource,
    instrumentationScope: span.instrumentationScope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}
