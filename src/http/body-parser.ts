import type { FastifyInstance, FastifyRequest } from 'fastify'
import { parse } from 'secure-json-parse'
import { invalid, Problem, unsupportedMediaType } from './problems.ts'

/** RFC 9110, 8.3.1; what follows the two names is ours to judge. */
const mediaType = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(;|$)/

const utf8 = new TextDecoder('utf-8', { fatal: true })

const takesBody = (request: FastifyRequest) => request.routeOptions.schema?.body !== undefined
const malformed = () => new Problem('malformed-json', 'Send the body as JSON in UTF-8.')

const utf8Charsets = new Set(['', 'charset=utf-8', 'charset="utf-8"'])

/**
 * `application/json`, with no charset but UTF-8 (RFC 8259, 8.1) and no content coding. Taken apart, not matched: a
 * pattern with white space here and there takes quadratic time over a long header.
 */
function isJson(request: FastifyRequest): boolean {
  const { 'content-type': type = '', 'content-encoding': coding = 'identity' } = request.headers
  const [media, ...parameters] = type
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
  return (
    media === 'application/json' &&
    parameters.every((one) => utf8Charsets.has(one)) &&
    coding.toLowerCase() === 'identity'
  )
}

/**
 * Reads bodies as the contract says: JSON only, an empty body only where none is taken, and then whatever its type.
 * secure-json-parse refuses `__proto__` and `constructor.prototype`, before anything can copy them.
 */
export function parseBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (body.length === 0) return done(takesBody(request) ? malformed() : null)
    if (!isJson(request)) return done(unsupportedMediaType())
    try {
      done(null, parse(utf8.decode(body), undefined, { protoAction: 'error', constructorAction: 'error' }))
    } catch {
      done(malformed())
    }
  })
  // Where nothing is sent Fastify runs no parser at all.
  app.addHook('preValidation', async (request) => {
    if (request.is404) return
    if (takesBody(request)) {
      if (request.body === undefined) throw malformed()
    } else if (request.body !== undefined) {
      throw invalid({ pointer: '/body', detail: 'Must not be present: this route takes no body.' })
    }
  })
  // A Content-Type that is none at all would be refused before a parser is asked; with an empty body it says nothing,
  // and whether a chunked one is empty only the parser sees.
  app.addHook('onRequest', async ({ headers }) => {
    const { 'content-type': type = '', 'content-length': length = 0, 'transfer-encoding': coding } = headers
    if (!mediaType.test(type) || (coding === undefined && Number(length) === 0)) delete headers['content-type']
  })
}
