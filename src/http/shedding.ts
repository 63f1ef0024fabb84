import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { safeMethods } from './origin.ts'
import { overloaded } from './problems.ts'

/** One for all refusals: to capture a stack costs more than the rest of them. */
const refusal = overloaded('writes')
/** Less than half of what a client waits for its answer: http/deadline.ts. */
const slowMs = 2_000
const windowMs = 250
const decrease = 0.8
const increase = 1.1

export type Bounds = { first: number; min: number; max: number }

/** Fewer are the writer's to refuse: writer/queue.ts. */
const defaultBounds: Bounds = { first: 2_000, min: 1_000, max: 20_000 }

/**
 * How many changes may be in progress, by how long they take: fewer when those that began since the last decrease were
 * slow, more when the limit was reached and none was (Chiu and Jain, "Analysis of the Increase and Decrease Algorithms for
 * Congestion Avoidance", 1989).
 */
export function adaptiveLimit(
  { first, min, max }: Bounds = defaultBounds,
  now: () => number = () => performance.now(),
) {
  let limit = first
  let inProgress = 0
  let peak = 0
  let adjustedAt = now()
  let decreasedAt = Number.NEGATIVE_INFINITY
  let wasFull = false
  let wasSlow = false

  function adjust(time: number): void {
    if (time - adjustedAt < windowMs) return
    adjustedAt = time
    if (wasSlow) {
      limit = Math.max(Math.floor(Math.min(limit, peak) * decrease), min)
      decreasedAt = time
    } else if (wasFull) limit = Math.min(Math.ceil(limit * increase), max)
    wasFull = wasSlow = false
    peak = inProgress
  }

  return {
    isFull(): boolean {
      if (inProgress < limit) return false
      wasFull = true
      adjust(now())
      return true
    },

    /** @returns what ends it */
    begin(): () => void {
      const begunAt = now()
      inProgress += 1
      peak = Math.max(peak, inProgress)
      return () => {
        inProgress -= 1
        const time = now()
        if (time - begunAt > slowMs && begunAt >= decreasedAt) wasSlow = true
        adjust(time)
      }
    },
  }
}

/**
 * Refuses changes while too many are in progress, before session, limits and body cost anything. A change counts from when
 * its body has arrived: slow clients take nothing away.
 */
export const shedWrites = fp<{ bounds?: Bounds }>(async (scope, { bounds }) => {
  const limit = adaptiveLimit(bounds)
  const ends = new WeakMap<FastifyRequest, () => void>()
  scope.addHook('onRequest', async ({ method }) => {
    if (!safeMethods.has(method) && limit.isFull()) throw refusal
  })
  scope.addHook('preValidation', async (request) => {
    if (!safeMethods.has(request.method)) ends.set(request, limit.begin())
  })
  // Also for the 503 of a request that takes too long.
  scope.addHook('onSend', async (request) => {
    ends.get(request)?.()
    ends.delete(request)
  })
})
