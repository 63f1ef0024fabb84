import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config.ts'
import type { Connection } from '../database/connection.ts'
import { serveClusterMetrics } from '../operations/metrics.ts'
import { StartError } from '../start-error.ts'
import { startChild } from './child.ts'
import { freePort } from './free-port.ts'
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
  // node:cluster knows by the port asked for who shares it: 0 would be another than the one that came of it.
  const port = config.port || (await freePort(config.host))

  function fill(role: Role): Place {
    const start = (abandoned: readonly string[]) => {
      const own = { ...config, port, metrics: undefined }
      return startChild({ kind: 'begin', role, config: own, connection, socket: join(folder, 'writer'), abandoned })
    }
    const place = respawn(role, start, log)
    places.push(place)
    return place
  }

  async function close(): Promise<void> {
    await Promise.all([endMetrics(), ...places.map((place) => place.end())])
    await rm(folder, { recursive: true, force: true })
  }

  async function collect() {
    const all = await Promise.all(places.map((place) => place.metrics()))
    return all.filter((one) => one !== undefined)
  }

  // However the primary ends, but for SIGKILL: one that hangs would stay for ever.
  process.once('exit', () => {
    for (const place of places) place.kill()
    rmSync(folder, { recursive: true, force: true })
  })
  try {
    endMetrics = await serveClusterMetrics(config.metrics, collect, log)
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

/** What a Unix socket's path may have at most, in bytes, on every system of ours: macOS takes one less than Linux. */
const longestPath = 100

/** A folder that no other user may enter: who reaches the writer's socket is believed. */
async function socketFolder(): Promise<string> {
  const unfit = (why: string) =>
    new StartError(
      `WEB_CONCURRENCY above 1 needs a folder for a socket, and ${tmpdir()} cannot be used (${why}): export a TMPDIR that can.`,
    )
  if (Buffer.byteLength(join(tmpdir(), 'rookery-123456', 'writer')) > longestPath) throw unfit('its path is too long')
  return mkdtemp(join(tmpdir(), 'rookery-')).catch((error) => {
    throw unfit(error.code)
  })
}
