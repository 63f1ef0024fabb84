import type { FastifyInstance, RouteHandlerMethod } from 'fastify'
import { isDatabaseOutOfReach, OverloadedError } from '../database/failures.ts'
import { isAnswered } from './deadline.ts'
import { Problem } from './problems.ts'

const isExpected = (error: unknown) =>
  error instanceof Problem || error instanceof OverloadedError || isDatabaseOutOfReach(error)

/** A handler often ends after the 503 of its deadline. Fastify would log each with a stack, under overload most of all. */
export function expectLateFailures(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const { handler } = route
    const guarded: RouteHandlerMethod = async function (request, reply) {
      try {
        const result = await handler.call(this, request, reply)
        return isAnswered(request, reply) ? reply : result
      } catch (error) {
        if (!isAnswered(request, reply)) throw error
        if (isExpected(error)) request.log.debug({ reason: String(error) }, 'request failed after its answer')
        else request.log.error({ err: error }, 'request failed after its answer')
        return reply
      }
    }
    route.handler = guarded
  })
}
