import { setImmediate as endOfTurn } from 'node:timers/promises'
import type { FastifyRequest } from 'fastify'
import { clientLeft } from './problems.ts'

/**
 * Spares the work for a client that has sent its request and left. That is noticed in the turn of the event loop after the
 * one that read the request. @throws Problem
 */
export async function assertPresent({ raw }: FastifyRequest): Promise<void> {
  await endOfTurn()
  await endOfTurn()
  if (raw.socket.readableEnded) throw clientLeft()
}
