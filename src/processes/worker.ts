import cluster from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import { collectionsOf, usesOf } from '../collections.ts'
import { database } from '../database/plugin.ts'
import { noPluginTimeout } from '../http/server.ts'
import { measureDatabase } from '../operations/database-metrics.ts'
import { createLogger } from '../operations/logging.ts'
import { createRegistry } from '../operations/metrics.ts'
import { measureWriter } from '../operations/writer-metrics.ts'
import { liveSecrets, type RefreshReason } from '../secrets/live.ts'
import { StartError } from '../start-error.ts'
import { remoteWriter, writeQueue } from '../write-operations.ts'
import { serveWriter } from '../writer/server.ts'
import { type MeasuredService, startApiServer } from './api-server.ts'
import type { PrimaryMessage, StartMessage, WorkerMessage } from './messages.ts'
import { signOfLifeMs } from './watchdog.ts'

/** More than the readiness checks take, whose results are metrics. */
const lastMetricsTimeoutMs = 2_500

const send = (message: WorkerMessage) => void process.send?.(message)
const onSession = (id: string) => send({ kind: 'session', id })

let refreshes = 0
const refreshing = new Map<number, () => void>()

/** The primary reads the secrets for all processes, and sends those that changed before its reply. */
function refreshSecrets(reason: RefreshReason): Promise<void> {
  refreshes += 1
  const id = refreshes
  send({ kind: 'refresh-secrets', id, reason })
  return new Promise((resolve) => refreshing.set(id, resolve))
}

async function startApiProcess({
  name,
  config,
  connection,
  socket,
  orphanedSessions,
}: StartMessage): Promise<MeasuredService> {
  const writer = remoteWriter(socket)
  const log = createLogger(config.log)
  const service = await startApiServer(config, connection, log, {
    writer,
    secrets: liveSecrets(config.secrets, log, refreshSecrets),
    crashRecovery: { orphanedSessions, onSession },
    process: name,
    name: `Process ${process.pid}`,
  })
  return {
    ...service,
    async close() {
      await service.close()
      writer.close()
    },
  }
}

/** Uses Fastify only to open and close the database: there are no routes. */
async function startWriterProcess(message: StartMessage): Promise<MeasuredService> {
  const { config, connection, socket, orphanedSessions } = message
  const log = createLogger(config.log)
  const secrets = liveSecrets(config.secrets, log, refreshSecrets)
  const app = Fastify({ loggerInstance: log, pluginTimeout: noPluginTimeout })
  const collections = collectionsOf(config.services)
  await app.register(database, {
    connection,
    collections,
    uses: usesOf(config.services),
    role: 'writer',
    crashRecovery: { orphanedSessions, onSession },
    onAccessRefused: () => void secrets.refresh('database-refused'),
  })
  await app.ready()
  secrets.prepare('database', async (next) => void (await app.databaseUser.replace(next.database)))
  const metrics = createRegistry(message.name)
  measureDatabase(metrics, app.signals, app.pools)
  const { databaseUser, endOrphans, writing } = app
  const observer = { ...measureWriter(metrics), onLocked: endOrphans }
  const queue = writeQueue(writing.db, writing.transact, observer)
  const server = await serveWriter(socket, queue, app.log, databaseUser.noteRefusal)
  return {
    url: '',
    // Nothing is cut off: the API processes, its only clients, have ended, or submit the rest to the next writer.
    async drain() {
      await server.drain()
      return 0
    },
    metrics: () => metrics.getMetricsAsJSON(),
    updateSecrets: (changes) => secrets.update(changes),
    async close() {
      server.close()
      await app.close()
    },
  }
}

const startRole = { api: startApiProcess, writer: startWriterProcess }

async function start(message: StartMessage): Promise<MeasuredService> {
  const service = await startRole[message.role](message)
  send({ kind: 'ready', url: service.url })
  return service
}

/** To the sum of the primary, which goes on. Metrics that cannot be collected in time, as in an outage, are not sent. */
async function sendLastMetrics({ metrics }: MeasuredService): Promise<void> {
  const sent = metrics().then(
    (last) => send({ kind: 'metrics', metrics: last }),
    () => undefined,
  )
  await Promise.race([sent, sleep(lastMetricsTimeoutMs)])
}

async function stop(service: MeasuredService | undefined, isReplaced: boolean): Promise<void> {
  const requests = (await service?.drain({ isReplaced })) ?? 0
  if (service && isReplaced) await sendLastMetrics(service)
  await service?.close()
  process.send?.({ kind: 'cut', requests } satisfies WorkerMessage, () => process.exit(0))
}

/** The primary prints the message of a StartError; the stack of any other error is printed here. */
function reportStartError(error: unknown): void {
  const message = error instanceof StartError ? error.message : 'see its stack'
  if (!(error instanceof StartError)) process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  const fault = error instanceof StartError ? error.fault : undefined
  process.send?.({ kind: 'start-error', message, fault } satisfies WorkerMessage, () => process.exit(1))
}

let starting: Promise<MeasuredService> | undefined
process.on('message', (message: PrimaryMessage) => {
  if (message.kind === 'start') {
    starting = start(message)
    starting.catch(reportStartError)
  } else if (message.kind === 'metrics') {
    starting?.then(async ({ metrics }) => send({ kind: 'metrics', metrics: await metrics() })).catch(() => undefined)
  } else if (message.kind === 'secrets') {
    // Before its start, the process has none: its start message will have the newest.
    Promise.resolve(starting)
      .then((service) => service?.updateSecrets(message.changes))
      .catch(() => undefined)
      .finally(() => send({ kind: 'secrets-updated' }))
  } else if (message.kind === 'secrets-refreshed') {
    refreshing.get(message.id)?.()
    refreshing.delete(message.id)
  } else {
    Promise.resolve(starting).then(
      (service) => stop(service, message.isReplaced),
      () => undefined,
    )
  }
})
// The primary replaces a worker whose event loop has stopped.
setInterval(() => {
  if (process.connected) process.send?.({ kind: 'alive' } satisfies WorkerMessage, () => undefined)
}, signOfLifeMs).unref()
// Acknowledging a connection to a killed primary fails; node:cluster ends the worker on the disconnect.
cluster.worker?.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
// A terminal sends these to the whole process group: only the primary acts on them.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
