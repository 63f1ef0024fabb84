import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Fault } from './problems.ts'

/** A reference token of a JSON Pointer (RFC 6901, 3). */
const escapeToken = (key: PropertyKey) => String(key).replaceAll('~', '~0').replaceAll('/', '~1')

const alternatives = new Intl.ListFormat('en', { type: 'disjunction' })

/** The detail for an issue whose schema states none: zod's own texts are no sentences, and may contain the input. */
function defaultDetail(issue: z.core.$ZodRawIssue): string {
  if (issue.input === undefined) return 'Must be present.'
  switch (issue.code) {
    case 'invalid_value':
      return `Must be ${alternatives.format(issue.values.map((value) => JSON.stringify(value)))}.`
    case 'invalid_type':
      return `Must be ${issue.expected === 'object' ? 'an object' : `a ${issue.expected}`}.`
    default:
      return 'Must be valid.'
  }
}

function validate(part: 'body' | 'query' | 'headers', schema: unknown, value: unknown): Fault[] {
  if (!(schema instanceof z.ZodType)) return []
  const error = (issue: z.core.$ZodRawIssue) =>
    part === 'query' && Array.isArray(issue.input) ? 'Must be given only once.' : defaultDetail(issue)
  const issues = schema.safeParse(value, { error }).error?.issues ?? []
  return issues.flatMap((issue) => {
    const pointer = [`/${part}`, ...issue.path.map(escapeToken)].join('/')
    // zod reports all unknown members in one issue; the contract names each by its own pointer.
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({ pointer: `${pointer}/${escapeToken(key)}`, detail: 'Must not be present.' }))
    }
    return [{ pointer, detail: issue.message }]
  })
}

/**
 * Every fault of a request that its schema refused.
 * @param stoppedAt - the part with the first fault: Fastify validates one part after another and stops there. The parts
 * before it have been replaced by what their schemas made of them, and would no longer match these.
 */
export function validationFaults(request: FastifyRequest, stoppedAt: string): Fault[] {
  const { body, query, headers } = request
  const { schema } = request.routeOptions
  const parts = [
    ['body', 'body', schema?.body, body],
    ['querystring', 'query', schema?.querystring, query],
    ['headers', 'headers', schema?.headers, headers],
  ] as const
  const unvalidated = parts.slice(parts.findIndex(([context]) => context === stoppedAt))
  return unvalidated.flatMap(([, part, partSchema, value]) => validate(part, partSchema, value))
}
