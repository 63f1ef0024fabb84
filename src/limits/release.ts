import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { backOff } from '../back-off.ts'

/** How long an answer waits for a place to be given back, in milliseconds. */
const patience = 500
/** How often it is tried while the database is away: for about half a minute. */
const mostTries = 12

/**
 * Gives a place back before the answer, so that whoever comes again finds it free. A database that is away does not
 * hold the answer up for long: it goes on in the background.
 */
export async function giveBackSoon(giveBack: () => Promise<void>, log: FastifyBaseLogger): Promise<void> {
  await Promise.race([persist(giveBack, log), sleep(patience, undefined, { ref: false })])
}

async function persist(giveBack: () => Promise<void>, log: FastifyBaseLogger): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await giveBack()
    } catch (error) {
      if (tries === mostTries) return log.warn({ err: error }, 'a place was not given back')
      await sleep(backOff(tries), undefined, { ref: false })
    }
  }
}
