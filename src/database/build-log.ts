import type { FastifyBaseLogger } from 'fastify'
import type { BuildListener } from './indexes.ts'

const everySeconds = 10

/**
 * Logs every 10 seconds which indexes MongoDB is building, for which a start waits, and when they are built. Builds that end
 * within 10 seconds, as in an empty database, are not logged.
 */
export function buildLog(log: Pick<FastifyBaseLogger, 'info'>): BuildListener & { close(): void } {
  const building = new Map<string, { keys: string; begunAt: number; isLogged: boolean }>()
  const timer = setInterval(() => {
    for (const [collection, build] of building) {
      const seconds = Math.round((performance.now() - build.begunAt) / 1_000)
      log.info({ collection, keys: build.keys, seconds }, 'MongoDB is building indexes: the start waits for them')
      build.isLogged = true
    }
  }, everySeconds * 1_000)
  return {
    onBegun: (collection, keys) => void building.set(collection, { keys, begunAt: performance.now(), isLogged: false }),
    onBuilt(collection, seconds) {
      if (building.get(collection)?.isLogged) log.info({ collection, seconds }, 'indexes are built')
      building.delete(collection)
    },
    close: () => clearInterval(timer),
  }
}
