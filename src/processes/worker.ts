import cluster from 'node:cluster'
import Fastify from 'fastify'
import { collections } from '../collections.ts'
import { database } from '../database/plugin.ts'
import { makeLogger } from '../operations/logging.ts'
import { makeRegistry } from '../operations/metrics.ts'
import { StartError } from '../start-error.ts'
import { remoteWriter, writeQueue } from '../write-operations.ts'
import { serveWriter } from '../writer/server.ts'
import type { Begin, Order, Report } from './orders.ts'
import { type Serving, serve } from './serve.ts'

const report = (message: Report) => void process.send?.(message)
const onSession = (id: string) => report({ kind: 'session', id })

async function front({ config, connection, socket, abandoned }: Begin): Promise<Serving> {
  const writer = remoteWriter(socket)
  const part = { writer, succession: { abandoned, onSession }, who: `Process ${process.pid}` }
  const service = await serve(config, connection, makeLogger(config.log), part)
  return {
    ...service,
    async close() {
      await service.close()
      writer.close()
    },
  }
}

/** Without a route: of Fastify it uses only what opens and closes the database. */
async function writer({ config, connection, socket, abandoned }: Begin): Promise<Serving> {
  const app = Fastify({ loggerInstance: makeLogger(config.log) })
  await app.register(database, { connection, collections, succession: { abandoned, onSession } })
  await app.ready()
  const metrics = makeRegistry()
  const close = await serveWriter(socket, writeQueue(app.db, app.transact), app.log)
  return {
    url: '',
    // Whoever gives it something ends before it.
    drain: async () => undefined,
    metrics: () => metrics.getMetricsAsJSON(),
    async close() {
      close()
      await app.close()
    },
  }
}

async function begin(order: Begin): Promise<Serving> {
  const service = await { front, writer }[order.role](order)
  report({ kind: 'ready', url: service.url })
  return service
}

async function end(service: Serving | undefined): Promise<void> {
  await service?.drain()
  await service?.close()
  process.exit(0)
}

/** What a person can act on the primary says; anything else is ours to mend, and wants its stack. */
function fail(error: unknown): void {
  const message = error instanceof StartError ? error.message : 'see its stack'
  if (!(error instanceof StartError)) process.stderr.write(`${error instanceof Error ? error.stack : error}\n`)
  process.send?.({ kind: 'fault', message } satisfies Report, () => process.exit(1))
}

/** One process of the cluster: it does what the primary orders; when the primary is gone, node:cluster ends it. */
let begun: Promise<Serving> | undefined
process.on('message', (order: Order) => {
  if (order.kind === 'begin') {
    begun = begin(order)
    begun.catch(fail)
  } else if (order.kind === 'metrics') {
    // Before it is ready there is nothing to tell; the primary does not wait long.
    begun?.then(async ({ metrics }) => report({ kind: 'metrics', metrics: await metrics() })).catch(() => undefined)
  } else {
    // One that could not begin has told so, and is ending.
    Promise.resolve(begun).then(end, () => undefined)
  }
})
// A primary that was killed cannot be told that a connection was taken over. Its absence ends us in a moment.
cluster.worker?.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})
// A Ctrl-C reaches every process of the terminal: here the primary says when to end.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined)
