import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import { backOffMs } from '../back-off.ts'

const responseDelayMs = 500
const maxAttempts = 12

/** Before the response, so that the client's next request finds it free; during an outage, in the background. */
export async function releaseSoon(release: () => Promise<void>, log: FastifyBaseLogger): Promise<void> {
  await Promise.race([persist(release, log), sleep(responseDelayMs, undefined, { ref: false })])
}

async function persist(release: () => Promise<void>, log: FastifyBaseLogger): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await release()
    } catch (error) {
      if (attempt === maxAttempts) return log.warn({ err: error }, 'reserved capacity was not released')
      await sleep(backOffMs(attempt), undefined, { ref: false })
    }
  }
}
