import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Config, readConfig, secretNames } from './config.ts'
import { startEmbeddedMongod } from './embedded-mongod/start.ts'
import { loadEnv } from './load-env.ts'
import { makeLogger } from './operations/logging.ts'
import { type Service, startApiServer } from './processes/api-server.ts'
import { startPrimary } from './processes/primary.ts'
import { StartError } from './start-error.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

type Logger = ReturnType<typeof makeLogger>

/** How long the requests that were begun may take to end, in milliseconds. */
const drainTimeout = 10_000

/** The database that the configuration names, or one of our own; `close` ends what was started for it. */
async function startDatabase({ database }: Config, log: Logger) {
  const { username, password } = database
  if (database.kind === 'external') {
    const nothing = { announceClosing: () => undefined, close: async () => undefined }
    return { connection: { uri: database.uri, username, password }, description: 'MONGODB_URI', ...nothing }
  }
  const { dataDir, mongodBinary } = database
  const mongod = await startEmbeddedMongod({ dataDir, username, password, ...(mongodBinary && { mongodBinary }), log })
  return {
    connection: { uri: mongod.uri, username, password },
    place: `its own mongod, data in ${relative(process.cwd(), dataDir) || dataDir}`,
    announceClosing: () => mongod.announceClosing(),
    close: () => mongod.close(),
  }
}

type Database = Awaited<ReturnType<typeof startDatabase>>

async function start(): Promise<void> {
  const config = await readConfig(loadEnv(), root)
  // No program that we start needs to inherit them.
  for (const name of secretNames) delete process.env[name]
  const log = makeLogger(config.log)
  const database = await startDatabase(config, log)
  try {
    const starting = (config.processes === 1 ? startApiServer : startPrimary)(config, database.connection, log)
    stopOnSignal(starting, database, log)
    const { url } = await starting
    log.info(`API page    ${url}/docs`)
    log.info(`Database    ${database.place}`)
    const bot = `npx tsx bot${url === 'http://127.0.0.1:5000' ? '' : ` --url ${url}`}`
    if (config.log.readable) log.info(`Try next    ${bot}   (in a second terminal)`)
  } catch (error) {
    await database.close()
    throw error
  }
}

/**
 * Ends what was begun, then everything; a second signal ends everything at once. From before the start is over: with
 * several processes the first of them serves while others are still starting.
 */
function stopOnSignal(starting: Promise<Service>, database: Database, log: Logger): void {
  let ending = false
  const end = async (signal: NodeJS.Signals) => {
    if (ending) process.exit(1)
    ending = true
    // A server that starts on the same DATA_DIR now waits for us instead of giving up.
    database.announceClosing()
    log.info(`${signal}: no new requests, those begun are finished`)
    setTimeout(() => process.exit(1), drainTimeout).unref()
    const service = await starting
    await service.drain()
    await service.close()
    await database.close()
    process.exit(0)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, (name) => {
      end(name).catch((error) => {
        log.error({ err: error }, 'could not end in order')
        process.exit(1)
      })
    })
  }
}

start().catch((error) => {
  // What a person can act on is said in words; anything else is ours to mend, and wants its stack.
  process.stderr.write(`${error instanceof StartError ? error.message : (error?.stack ?? error)}\n`)
  process.exit(1)
})
