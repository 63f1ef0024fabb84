import type { FastifyInstance, FastifyRequest } from 'fastify'
import { parse } from 'secure-json-parse'
import { hasTooManyValues, maxValues } from './body-values.ts'
import { clientLeft, invalid, Problem, unsupportedMediaType } from './problems.ts'

/** Of a media type with its parameters: to read 16 KiB of them would take 2 ms. */
const maxTypeLength = 1_000
// RFC 9110, 8.3.1
const mediaType = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(;|$)/

const utf8 = new TextDecoder('utf-8', { fatal: true })

const takesBody = (request: FastifyRequest) => request.routeOptions.schema?.body !== undefined
const malformed = () => new Problem('malformed-json', 'Send the body as JSON in UTF-8.')
const tooManyValues = () =>
  invalid({ pointer: '/body', detail: `Must have at most ${maxValues} members and items, at every depth together.` })

const utf8Charsets = new Set(['', 'charset=utf-8', 'charset="utf-8"'])

// Split, not matched: a regular expression with optional white space takes quadratic time for a long header (ReDoS).
function isJson(request: FastifyRequest): boolean {
  const { 'content-type': type = '', 'content-encoding': coding = 'identity' } = request.headers
  if (type.length > maxTypeLength) return false
  const [media, ...parameters] = type
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
  return (
    media === 'application/json' &&
    parameters.every((parameter) => utf8Charsets.has(parameter)) &&
    coding.toLowerCase() === 'identity'
  )
}

/** Parses JSON bodies; secure-json-parse refuses `__proto__` and `constructor.prototype` (prototype pollution). */
export function parseBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (body.length === 0) return done(takesBody(request) ? malformed() : null)
    if (!isJson(request)) return done(unsupportedMediaType())
    if (hasTooManyValues(body)) return done(tooManyValues())
    try {
      done(null, parse(utf8.decode(body), undefined, { protoAction: 'error', constructorAction: 'error' }))
    } catch {
      done(malformed())
    }
  })
  // Fastify would wait forever for the body of a client that has hung up, and run no later hook.
  app.addHook('preParsing', async (_request, reply) => {
    if (reply.raw.closed) throw clientLeft()
  })
  // Fastify runs no parser if there is no body.
  app.addHook('preValidation', async (request) => {
    if (request.is404) return
    if (takesBody(request)) {
      if (request.body === undefined) throw malformed()
    } else if (request.body !== undefined) {
      throw invalid({ pointer: '/body', detail: 'Must not be present: this route takes no body.' })
    }
  })
  // Fastify would refuse an invalid Content-Type before it runs a parser. An empty body's type is ignored; whether a
  // chunked body is empty, only the parser can tell.
  app.addHook('onRequest', async ({ headers }) => {
    const { 'content-type': type = '', 'content-length': length = 0, 'transfer-encoding': coding } = headers
    if (!mediaType.test(type) || (coding === undefined && Number(length) === 0)) delete headers['content-type']
  })
}
