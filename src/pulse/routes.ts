import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Outcome, Pulse } from './pulse.ts'
import { PulseView } from './schema.ts'

type Context = { pulse: Pulse }

/** By `operationId`. */
const created: Readonly<Record<string, Outcome['created']>> = {
  createPost: 'post',
  setReaction: 'reaction',
  deleteReaction: 'reaction',
}
/** A stream lasts as long as its client likes, and a page that shows the pulse must not see itself. */
const ignored = new Set(['readStream', 'readPulse'])

function outcomeOf(operation: string, reply: FastifyReply): Outcome {
  const { statusCode, elapsedTime } = reply
  const isNew = statusCode < 300 && !reply.hasHeader('idempotency-replayed')
  return { durationMs: elapsedTime, isError: statusCode >= 500, created: isNew ? created[operation] : undefined }
}

const operationOf = ({ routeOptions }: FastifyRequest): string => {
  const { schema } = routeOptions
  // A member for OpenAPI, which Fastify's own type lacks.
  return (schema as { operationId?: string } | undefined)?.operationId ?? ''
}

/** Counts the requests of a scope. */
export const measurePulse = fp<Context>(async (scope, { pulse }) => {
  scope.addHook('onResponse', async (request, reply) => {
    const operation = operationOf(request)
    if (!ignored.has(operation)) pulse.note(outcomeOf(operation, reply))
  })
})

export const pulseRoute: FastifyPluginAsyncZod<Context> = async (scope, { pulse }) => {
  scope.get(
    '/pulse',
    {
      schema: {
        operationId: 'readPulse',
        summary: 'Read the counts of the last 60 seconds',
        tags: ['operations'],
        response: { 200: PulseView },
      },
    },
    async (_, reply) => {
      reply.header('cache-control', 'no-store')
      return pulse.read()
    },
  )
}
