/** The parts of an OpenAPI 3.1 document that are completed here. */
export type Schema = {
  type?: string | string[]
  format?: string
  pattern?: string
  enum?: unknown[]
  anyOf?: Schema[]
}

export type Link = { operationId: string; description: string; parameters: Record<string, string> }

export type Response = {
  content?: Record<string, object>
  headers?: Record<string, { $ref: string }>
  links?: Record<string, Link>
}

export type Operation = {
  operationId?: string
  parameters?: { name: string; in: string }[]
  responses: Record<string, Response>
  [headers: `x-${string}`]: unknown
}

export type ApiDocument = {
  paths: Record<string, Record<string, Operation>>
  components: { schemas?: Record<string, object>; headers?: object }
}
