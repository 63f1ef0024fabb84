import type { RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { untilAnswered } from '../http/deadline.ts'
import { assertPresent } from '../http/departed-clients.ts'
import { overloaded } from '../http/problems.ts'
import { clientTurn } from './client-turn.ts'
import { fairQueue } from './fair-queue.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route answers a page of a list. */
    isPage?: boolean
  }
  interface FastifyRequest {
    endPageTurn: (() => void) | undefined
  }
}

/**
 * A page of 100 items takes milliseconds of CPU time, and Node accepts one connection in each turn of the event loop: if a
 * turn could make 100 pages, every new connection would wait for 100 pages.
 */
const bounds = { maxRunning: 8, maxWaiting: 1_000, maxWaitMs: 2_500 }
/** A page that takes longer waits for the database, and takes no CPU time from others: the next one begins. */
const maxPlaceMs = 100

function markPages(route: RouteOptions): void {
  const query = route.schema?.querystring
  const isPage = typeof query === 'object' && query !== null && 'shape' in query && hasCursor(query.shape)
  if (isPage) route.config = { ...route.config, isPage }
}

const hasCursor = (shape: unknown) => typeof shape === 'object' && shape !== null && 'cursor' in shape

/** Lets clients, and their networks, take turns with pages of lists, however many one of them asks for. */
export const takePageTurns = fp(async (scope) => {
  const queue = fairQueue(bounds, () => overloaded('reads'))
  scope.decorateRequest('endPageTurn', undefined)
  scope.addHook('onRoute', markPages)
  scope.addHook('preHandler', async (request, reply) => {
    if (!request.routeOptions.config.isPage) return
    await assertPresent(request)
    const begun = Promise.withResolvers<void>()
    const makePage = () => {
      const made = Promise.withResolvers<void>()
      const timer = setTimeout(made.resolve, maxPlaceMs).unref()
      request.endPageTurn = () => {
        clearTimeout(timer)
        made.resolve()
      }
      begun.resolve()
      return made.promise
    }
    queue(makePage, { ...clientTurn(request.client.ip), signal: untilAnswered(reply) }).catch(begun.reject)
    await begun.promise
  })
  // Before the page is written: a client that reads slowly keeps no turn from others.
  scope.addHook('onSend', async (request) => request.endPageTurn?.())
})
