import { z } from 'zod'

/** A URL could show a password or a token in it to every reader of the log. */
function isReceiver(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.username || url.password || /[?#@]/.test(text)) return false
  return url.protocol === 'https:' || url.protocol === 'http:'
}

/** The variables of tracing, with the names and meanings of OpenTelemetry's specification. */
export const tracingVariables = {
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .string()
    .refine(isReceiver, {
      error:
        'must be the http or https URL of a receiver of OTLP over HTTP, such as http://127.0.0.1:4318, without credentials or a query',
    })
    .transform((text) => text.replace(/\/+$/, ''))
    .optional(),
  OTEL_SERVICE_NAME: z.string().max(255, 'must have at most 255 characters').optional(),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(0(\.\d{1,9})?|1(\.0+)?|\.\d{1,9})$/, 'must be a number from 0 to 1')
    .transform(Number)
    .optional(),
}

type Settings = { [Name in keyof typeof tracingVariables]?: z.infer<(typeof tracingVariables)[Name]> | undefined }

/** Undefined: nothing is traced, and no module of OpenTelemetry is loaded. */
export function readTracing(settings: Settings) {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER_ARG } = settings
  if (endpoint === undefined) return undefined
  return { endpoint, serviceName: OTEL_SERVICE_NAME ?? 'rookery', sampledShare: OTEL_TRACES_SAMPLER_ARG ?? 1 }
}

export type TracingConfig = NonNullable<ReturnType<typeof readTracing>>
