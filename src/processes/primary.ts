import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config.ts'
import type { Connection } from '../database/connection.ts'
import { serveClusterMetrics } from '../operations/metrics.ts'
import { StartError } from '../start-error.ts'
import type { Service } from './api-server.ts'
import { freePort } from './free-port.ts'
import type { Role } from './messages.ts'
import { type Slot, superviseSlot } from './slot.ts'
import { forkWorker } from './worker-handle.ts'

/** Starts the API processes and the writer process; serves no requests. @throws StartError if one cannot start */
export async function startPrimary(config: Config, connection: Connection, log: FastifyBaseLogger): Promise<Service> {
  const socketDir = await createSocketDir()
  const slots: Slot[] = []
  let closeMetrics = async () => {}
  // Workers share a port in node:cluster only if all of them ask for the same number, which 0 would not give.
  const port = config.port || (await freePort(config.host))

  function openSlot(role: Role): Slot {
    const workerConfig = { ...config, port, metrics: undefined }
    const start = { kind: 'start', role, config: workerConfig, connection, socket: join(socketDir, 'writer') } as const
    const slot = superviseSlot(role, (orphanedSessions) => forkWorker({ ...start, orphanedSessions }), log)
    slots.push(slot)
    return slot
  }

  async function close(): Promise<void> {
    await Promise.all([closeMetrics(), ...slots.map((slot) => slot.stop())])
    await rm(socketDir, { recursive: true, force: true })
  }

  async function collectMetrics() {
    const all = await Promise.all(slots.map((slot) => slot.metrics()))
    return all.filter((metrics) => metrics !== undefined)
  }

  // A hanging worker would outlive every exit of the primary but SIGKILL.
  process.once('exit', () => {
    for (const slot of slots) slot.kill()
    rmSync(socketDir, { recursive: true, force: true })
  })
  try {
    closeMetrics = await serveClusterMetrics(config.metrics, collectMetrics, log)
    // The writer creates the indexes: API processes that started beside it on an empty database would do the same work.
    await openSlot('writer').ready
    const apiSlots = Array.from({ length: config.processes }, () => openSlot('api'))
    const [url = ''] = await Promise.all(apiSlots.map(({ ready }) => ready))
    log.info(`Rookery listens on ${url}, in ${config.processes} processes`)
    return {
      url,
      // The writer process runs until every API process has exited.
      drain: async () => void (await Promise.all(apiSlots.map((slot) => slot.stop()))),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Longest path of a Unix socket on Linux and macOS, in bytes, with a few to spare. */
const maxPathBytes = 100

/** Creates a directory of mode 0700: the writer process trusts every peer that reaches its socket. */
async function createSocketDir(): Promise<string> {
  const unusable = (reason: string) =>
    new StartError(
      `WEB_CONCURRENCY above 1 needs a directory for a socket, and ${tmpdir()} cannot be used (${reason}): export another TMPDIR.`,
    )
  if (Buffer.byteLength(join(tmpdir(), 'rookery-123456', 'writer')) > maxPathBytes)
    throw unusable('its path is too long')
  return mkdtemp(join(tmpdir(), 'rookery-')).catch((error) => {
    throw unusable(error.code)
  })
}
