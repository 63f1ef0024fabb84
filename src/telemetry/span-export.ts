import { randomUUID } from 'node:crypto'
import { DiagLogLevel, diag } from '@opentelemetry/api'
import { ExportResultCode } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type SpanExporter,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import type { FastifyBaseLogger } from 'fastify'
import packageJson from '../../package.json' with { type: 'json' }
import { sampled } from '../operations/sampled.ts'
import type { TracingConfig } from './config.ts'
import { exportedSpan } from './exported-span.ts'

/** A shutdown waits no longer for the collector: what it has not taken by then is lost. */
const flushTimeoutMs = 2_000

type Log = Pick<FastifyBaseLogger, 'warn'>

/** The exporter's own failures reach no log otherwise. */
function reportingFailures(exporter: SpanExporter, log: Log): SpanExporter {
  const report = sampled((failures, reason: string) => {
    log.warn({ failures, reason }, 'spans could not be exported')
  })
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.code !== ExportResultCode.SUCCESS) report(result.error?.message || 'the collector refuses them')
        done(result)
      })
    },
    shutdown: () => exporter.shutdown(),
  }
}

/** Exports each span as {@link exportedSpan} permits. */
function restricted(processor: SpanProcessor): SpanProcessor {
  return {
    onStart: (span, context) => processor.onStart(span, context),
    onEnd: (span: ReadableSpan) => processor.onEnd(exportedSpan(span)),
    forceFlush: () => processor.forceFlush(),
    shutdown: () => processor.shutdown(),
  }
}

/** Such as spans that were dropped, or a variable of the exporter that it cannot use. */
function reportWarnings(log: Log): void {
  const report = sampled((_, reason: string) => {
    log.warn({ reason }, 'tracing reports a fault')
  })
  const ignore = () => undefined
  // Its errors are failed exports, which are reported above.
  diag.setLogger(
    { error: ignore, warn: report, info: ignore, debug: ignore, verbose: ignore },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  )
}

/**
 * Sends spans to the collector in batches, apart from all requests: while it hangs or refuses them, up to 2,048 wait and
 * further ones are dropped.
 */
export function spanExport({ endpoint, serviceName, sampledShare }: TracingConfig, log: Log) {
  reportWarnings(log)
  const exporter = reportingFailures(new OTLPTraceExporter({ url: `${endpoint}/v1/traces` }), log)
  const own = resourceFromAttributes({
    'service.name': serviceName,
    'service.version': packageJson.version,
    'service.instance.id': randomUUID(),
  })
  const provider = new TracerProvider({
    // OTEL_RESOURCE_ATTRIBUTES, such as the environment that is deployed to.
    resource: defaultResource()
      .merge(detectResources({ detectors: [envDetector] }))
      .merge(own),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampledShare) }),
    spanProcessors: [restricted(new BatchSpanProcessor({ exporter }))],
  })
  return {
    provider,

    /** Sends what waits. Resolves when the collector has it, has failed, or has not answered for two seconds. */
    async close(): Promise<void> {
      const { promise: timeout, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, flushTimeoutMs)
      await Promise.race([provider.shutdown().catch(() => undefined), timeout])
      clearTimeout(timer)
    },
  }
}
