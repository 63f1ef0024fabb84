import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import { type App, buildApp } from './app.ts'
import { type Config, readConfig } from './config.ts'
import { startEmbedded } from './database/embedded.ts'
import { makeLogger } from './operations/logging.ts'
import { StartError } from './start-error.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

type Logger = ReturnType<typeof makeLogger>

/** How long the requests that were begun may take to end, in milliseconds. */
const drainTime = 10_000

/** `.env` in the project's root, if it is there; what is exported wins over it. */
function environment(): Record<string, string | undefined> {
  try {
    return { ...parseEnv(readFileSync(new URL('../.env', import.meta.url), 'utf8')), ...process.env }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return process.env
    throw new StartError('There is a .env in the project’s root that cannot be read.')
  }
}

/** The database that the configuration names, or one of our own; `close` ends what was started for it. */
async function openDatabase({ database }: Config, log: Logger) {
  const { username, password } = database
  if (database.kind === 'external') {
    const nothing = { announceClosing: () => undefined, close: async () => undefined }
    return { connection: { uri: database.uri, username, password }, place: 'MONGODB_URI', ...nothing }
  }
  const { dataDir, mongodBinary } = database
  const mongod = await startEmbedded({ dataDir, username, password, ...(mongodBinary && { mongodBinary }), log })
  return {
    connection: { uri: mongod.uri, username, password },
    place: `its own mongod, data in ${relative(process.cwd(), dataDir) || dataDir}`,
    announceClosing: () => mongod.announceClosing(),
    close: () => mongod.close(),
  }
}

type Database = Awaited<ReturnType<typeof openDatabase>>

async function listen(app: App, { host, port }: Config): Promise<string> {
  try {
    return await app.listen({ host, port, listenTextResolver: (address) => `Rookery listens on ${address}` })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EADDRINUSE')
      throw new StartError(`PORT ${port} on ${host} is taken: end what listens there, or set PORT.`)
    if (code === 'EACCES')
      throw new StartError(`PORT ${port} may not be listened on by this user: set PORT to 1024 or more.`)
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
      throw new StartError(`HOST ${host} is no address of this machine.`)
    throw error
  }
}

async function start(): Promise<void> {
  const config = await readConfig(environment(), root)
  // No program that we start needs to inherit them.
  for (const name of ['DB_PASSWORD', 'JWT_SIGN_KEY']) delete process.env[name]
  const log = makeLogger(config.log)
  const database = await openDatabase(config, log)
  let app: App | undefined
  try {
    app = await buildApp(config, database.connection, log)
    const url = await listen(app, config)
    log.info(`API page    ${url}/docs`)
    log.info(`Database    ${database.place}`)
    const bot = `npx tsx bot${url === 'http://127.0.0.1:5000' ? '' : ` --url ${url}`}`
    if (config.log.readable) log.info(`Try next    ${bot}   (in a second terminal)`)
  } catch (error) {
    await app?.close()
    await database.close()
    throw error
  }
  endOnSignal(app, database, log)
}

/** Ends what was begun, then everything; a second signal ends everything at once. */
function endOnSignal(app: App, database: Database, log: Logger): void {
  const end = async (signal: NodeJS.Signals) => {
    if (app.draining) process.exit(1)
    // A server that starts on the same DATA_DIR now waits for us instead of giving up.
    database.announceClosing()
    log.info(`${signal}: no new requests, those begun are finished`)
    const drained = app.drain()
    setTimeout(() => process.exit(1), drainTime).unref()
    // A connection whose last request began before the signal is kept alive, and would be waited for in vain.
    setInterval(() => app.server.closeIdleConnections(), 100).unref()
    await drained
    await app.close()
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
