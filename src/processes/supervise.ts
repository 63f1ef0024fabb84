import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config.ts'
import type { Connection } from '../database/connection.ts'
import { serveClusterMetrics } from '../operations/metrics.ts'
import { StartError } from '../start-error.ts'
import { startChild } from './child.ts'
import type { Role } from './orders.ts'
import { type Place, respawn } from './respawn.ts'
import type { Service } from './serve.ts'

/**
 * Serves in `config.processes` processes that share the port, with one more that writes for all of them. The primary
 * itself only starts them and hands them connections, so nothing that kills one of them kills it.
 *
 * @throws StartError when one of them cannot start.
 */
export async function supervise(config: Config, connection: Connection, log: FastifyBaseLogger): Promise<Service> {
  const folder = await socketFolder()
  const places: Place[] = []
  let endMetrics = async () => {}

  function fill(role: Role): Place {
    const orders = { kind: 'begin', role, config: { ...config, metrics: undefined }, connection } as const
    const start = (abandoned: readonly string[]) => startChild({ ...orders, socket: join(folder, 'writer'), abandoned })
    const place = respawn(role, start, log)
    places.push(place)
    return place
  }

  async function close(): Promise<void> {
    await Promise.all([endMetrics(), ...places.map((place) => place.end())])
    await rm(folder, { recursive: true, force: true })
  }

  try {
    endMetrics = await serveClusterMetrics(config.metrics, log)
    // The indexes are made by the first: of several that start on an empty database only one finds work.
    await fill('writer').ready
    const fronts = Array.from({ length: config.processes }, () => fill('front'))
    const [url = ''] = await Promise.all(fronts.map(({ ready }) => ready))
    log.info(`Rookery listens on ${url}, in ${config.processes} processes`)
    return {
      url,
      // The writer goes on until those have ended that need it.
      drain: async () => void (await Promise.all(fronts.map((front) => front.end()))),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** A folder that no other user may enter: who reaches the writer's socket is believed. */
async function socketFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'rookery-')).catch((error) => {
    throw new StartError(
      `WEB_CONCURRENCY above 1 needs a folder for temporary files, and ${tmpdir()} cannot be used (${error.code}): set TMPDIR to one that can.`,
    )
  })
}
