import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { backOff } from '../back-off.ts'

/** How long a response waits for a release. */
const responseDelayMs = 500
/** Over about half a minute. */
const maxTries = 12

/**
 * Releases reserved capacity before the response, so that the client's next request finds it free. While the database
 * is away the response does not wait for long: the release goes on in the background.
 */
export async function releaseSoon(release: () => Promise<void>, log: FastifyBaseLogger): Promise<void> {
  await Promise.race([persist(release, log), sleep(responseDelayMs, undefined, { ref: false })])
}

async function persist(release: () => Promise<void>, log: FastifyBaseLogger): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await release()
    } catch (error) {
      if (tries === maxTries) return log.warn({ err: error }, 'reserved capacity was not released')
      await sleep(backOff(tries), undefined, { ref: false })
    }
  }
}
