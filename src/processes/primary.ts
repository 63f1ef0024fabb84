import { rmSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyBaseLogger } from 'fastify'
import { Registry } from 'prom-client'
import type { Config } from '../config.ts'
import type { Connection } from '../database/connection.ts'
import { measureSecretAges, serveClusterMetrics } from '../operations/metrics.ts'
import { metricsSum } from '../operations/metrics-sum.ts'
import { measureProcess } from '../operations/process-metrics.ts'
import { measureWorkers } from '../operations/worker-metrics.ts'
import type { SecretRefresh } from '../secrets/refresh.ts'
import type { Secrets } from '../secrets/secrets.ts'
import { StartError, toErrorText } from '../start-error.ts'
import { folderNameBytes, temporaryFolder } from '../temporary-folder.ts'
import { maxSuffixBytes } from '../writer/server.ts'
import type { Service } from './api-server.ts'
import { freePort } from './free-port.ts'
import type { Role, StartMessage } from './messages.ts'
import { type Slot, superviseSlot } from './slot.ts'
import { forkWorker } from './worker-handle.ts'

/** Starts the API processes and the writer process; serves no requests. @throws StartError if one cannot start */
export async function startPrimary(
  config: Config,
  connection: Connection,
  log: FastifyBaseLogger,
  { refresh = async () => {}, ages = () => [] }: Partial<Pick<SecretRefresh, 'refresh' | 'ages'>> = {},
): Promise<Service> {
  let { secrets } = config
  const socketDir = await createSocketDir()
  const registry = new Registry()
  measureProcess(registry, 'primary')
  measureSecretAges(registry, ages)
  const slots: Slot[] = []
  const sum = metricsSum()
  let replacing: Promise<void> | undefined
  const workers = measureWorkers(registry, () => slots)
  let closeMetrics = async () => {}
  // Workers share a port in node:cluster only if all of them ask for the same number, which 0 would not give.
  const port = config.port || (await freePort(config.host))

  function openSlot(role: Role, name: string): Slot {
    const startMessage = (orphanedSessions: readonly string[]): StartMessage => ({
      kind: 'start',
      role,
      name,
      config: { ...config, secrets, port, metrics: undefined },
      connection: { ...connection, ...secrets.database },
      socket: join(socketDir, 'writer'),
      orphanedSessions,
    })
    const fork = (orphanedSessions: readonly string[]) => {
      const worker = forkWorker({ role, startMessage: () => startMessage(orphanedSessions), refreshSecrets: refresh })
      sum.add(worker)
      return worker
    }
    const slot = superviseSlot(role, fork, log, (reason) => workers.noteReplacement(role, reason))
    slots.push(slot)
    return slot
  }

  async function close(): Promise<void> {
    await Promise.all([closeMetrics(), ...slots.map((slot) => slot.stop())])
    await rm(socketDir, { recursive: true, force: true })
  }

  async function collectMetrics() {
    const own = await registry.getMetricsAsJSON()
    return [own, ...(await sum.collect(slots.flatMap((slot) => slot.workers())))]
  }

  async function updateSecrets(next: Secrets): Promise<void> {
    secrets = next
    const { database, ...keys } = next
    // A removed key must be refused at once by all processes.
    await Promise.all(slots.map((slot) => slot.updateSecrets(keys)))
    // One by one, so that most processes keep serving if the new user has a fault. The writer, the first slot, is last.
    const [writer, ...apis] = slots
    for (const slot of [...apis, writer]) await slot?.updateSecrets({ database })
  }

  /** One by one, the writer last, so that all but one keep serving. The first that cannot start ends it. */
  async function replaceAll(): Promise<void> {
    const [writer, ...apis] = slots
    log.info('replacing the processes one by one')
    try {
      for (const slot of [...apis, writer]) {
        const cut = await slot?.replace()
        if (cut) log.error({ requests: cut }, `${cut} requests were cut off at the end of GRACE_SECONDS`)
      }
      log.info('all processes are replaced')
    } catch (error) {
      log.error({ reason: toErrorText(error) }, 'a process cannot be replaced: the present ones keep serving')
    }
  }

  // A hanging worker would outlive every exit of the primary but SIGKILL.
  process.once('exit', () => {
    for (const slot of slots) slot.kill()
    rmSync(socketDir, { recursive: true, force: true })
  })
  try {
    closeMetrics = await serveClusterMetrics(config.metrics, collectMetrics, log)
    // The writer creates the indexes: API processes that started beside it on an empty database would do the same work.
    await openSlot('writer', 'writer').ready
    const apiSlots = Array.from({ length: config.processes }, (_, n) => openSlot('api', `api ${n + 1}`))
    const [url = ''] = await Promise.all(apiSlots.map(({ ready }) => ready))
    log.info(`Rookery listens on ${url}, in ${config.processes} processes`)
    return {
      url,
      // The writer process runs until every API process has exited.
      async drain() {
        const cuts = await Promise.all(apiSlots.map((slot) => slot.stop()))
        return cuts.reduce((sum, cut) => sum + cut, 0)
      },
      close,
      updateSecrets,
      replaceProcesses() {
        replacing ??= replaceAll().finally(() => {
          replacing = undefined
        })
        return replacing
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Longest path of a Unix socket on Linux and macOS, in bytes, with a few to spare. */
const maxPathBytes = 100

const prefix = 'rookery-'

/** Creates a directory of mode 0700: the writer process trusts every peer that reaches its socket. */
async function createSocketDir(): Promise<string> {
  const unusable = (reason: string) =>
    new StartError(
      `WEB_CONCURRENCY above 1 needs a directory for a socket, and ${tmpdir()} cannot be used (${reason}): export another TMPDIR.`,
    )
  if (Buffer.byteLength(join(tmpdir(), 'writer')) + maxSuffixBytes + folderNameBytes(prefix) + 1 > maxPathBytes)
    throw unusable('its path is too long')
  return temporaryFolder(prefix, tmpdir()).catch((error) => {
    throw unusable(error.code)
  })
}
