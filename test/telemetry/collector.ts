import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { z } from 'zod'

const Value = z.union([
  z.object({ stringValue: z.string() }).transform(({ stringValue }) => stringValue),
  z.object({ intValue: z.union([z.number(), z.string()]) }).transform(({ intValue }) => Number(intValue)),
  z
    .object({ arrayValue: z.object({ values: z.array(z.object({ stringValue: z.string() })) }) })
    .transform(({ arrayValue }) => arrayValue.values.map(({ stringValue }) => stringValue)),
])

const Attributes = z
  .array(z.object({ key: z.string(), value: Value }))
  .transform((pairs) => Object.fromEntries(pairs.map(({ key, value }) => [key, value])))

const Span = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().optional(),
  traceState: z.string().optional(),
  name: z.string(),
  kind: z.number(),
  attributes: Attributes,
  status: z.object({ code: z.number(), message: z.string().optional() }),
})

/** The part of ExportTraceServiceRequest (OTLP 1, JSON) that the tests look at. */
const ExportRequest = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: Attributes }),
      scopeSpans: z.array(z.object({ spans: z.array(Span) })),
    }),
  ),
})

export type ExportedSpan = z.infer<typeof Span> & { resource: Record<string, unknown> }

/** How OTLP numbers the kinds of spans, and the code of an error. */
export const kinds = { server: 2, client: 3 }
export const statusError = 2

type Answer = 'accept' | 'refuse' | 'hang'

/** A receiver of OTLP over HTTP in JSON, on a free port until the test ends. */
export async function startCollector(t: Test, answer: Answer = 'accept') {
  const bodies: string[] = []
  const paths: string[] = []
  const held: ServerResponse[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    paths.push(`${request.method} ${request.url}`)
    bodies.push(Buffer.concat(chunks).toString())
    response.setHeader('content-type', 'application/json')
    if (answer === 'hang') held.push(response)
    else response.writeHead(answer === 'accept' ? 200 : 400).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo // TCP always
  return {
    endpoint: `http://127.0.0.1:${port}`,
    bodies,
    paths,
    /** What an exporter waits for. */
    held,
    spans: (): ExportedSpan[] =>
      bodies
        .flatMap((body) => ExportRequest.parse(JSON.parse(body)).resourceSpans)
        .flatMap(({ resource, scopeSpans }) =>
          scopeSpans.flatMap(({ spans }) => spans.map((span) => ({ ...span, resource: resource.attributes }))),
        ),
  }
}
