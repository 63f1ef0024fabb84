import { type ResponseHeader, responseHeaders } from '../../http/response-headers.ts'
import { headersKey } from '../../http/responses.ts'
import type { ApiDocument, Operation, Response } from './document-types.ts'

const rateLimitHeaders: ResponseHeader[] = ['ratelimit', 'ratelimit-policy']

/** The headers of a refusal by its status. */
const refusals: Readonly<Record<string, ResponseHeader[]>> = {
  401: ['www-authenticate'],
  429: ['retry-after', ...rateLimitHeaders],
  503: ['retry-after'],
}

/** The routes name their own as `responseHeaders`. */
export function addHeaders({ paths, components }: ApiDocument): void {
  components.headers = Object.fromEntries(
    Object.entries(responseHeaders).map(([name, { description, example }]) => [
      name,
      { description, schema: { type: 'string' }, example },
    ]),
  )
  for (const operation of Object.values(paths).flatMap((methods) => Object.values(methods))) {
    const own = takeOwn(operation)
    const isLimited = '429' in operation.responses
    for (const [status, response] of Object.entries(operation.responses)) {
      const isSuccess = status < '400'
      const specific = isSuccess ? [...own, ...(isLimited ? rateLimitHeaders : [])] : (refusals[status] ?? [])
      response.headers = references(['x-request-id', ...specific])
    }
  }
}

function takeOwn(operation: Operation): readonly ResponseHeader[] {
  // Written by withAllResponses, from the typed configuration of the route.
  const own = (operation[headersKey] ?? []) as readonly ResponseHeader[]
  delete operation[headersKey]
  return own
}

const references = (names: readonly string[]): NonNullable<Response['headers']> =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
