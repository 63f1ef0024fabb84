import type { FastifyBaseLogger } from 'fastify'
import type { BuildListener } from './indexes.ts'

const everySeconds = 10

/**
 * Logs every 10 seconds which indexes MongoDB is still building, for which a start waits, and when it has built them. Of
 * those of an empty database, which take a moment, it logs nothing.
 */
export function buildLog(log: Pick<FastifyBaseLogger, 'info'>): BuildListener & { close(): void } {
  const keysOf = new Map<string, string>()
  let told: readonly string[] = []
  let seconds = 0
  const timer = setInterval(() => {
    seconds += everySeconds
    told = [...keysOf.keys()]
    for (const [collection, keys] of keysOf) {
      log.info(`${collection}: MongoDB has been building ${keys} for ${seconds} s`)
    }
  }, everySeconds * 1_000)
  return {
    onBegun: (collection, keys) => void keysOf.set(collection, keys),
    onBuilt(collection, seconds) {
      keysOf.delete(collection)
      if (told.includes(collection)) log.info(`${collection}: built in ${seconds} s`)
    },
    close: () => clearInterval(timer),
  }
}
