import { join } from 'node:path'
import type { Db } from 'mongodb'
import { StartError } from '../start-error.ts'
import { ensurePrimary, ensureUser, readDataSeries, replicaSetName, withAdmin } from './admin.ts'
import { type DataDir, prepareDataDir, readFileIfExists, writeFileAtomic } from './data-dir.ts'
import { lockDataDir } from './data-dir-lock.ts'
import { findMongod } from './find-binary.ts'
import type { Logger } from './logger.ts'
import { type MongodProcess, spawnMongod, startMongod } from './mongod-process.ts'
import { superviseMongod } from './supervisor.ts'

export type EmbeddedMongod = {
  uri: string
  /** Runs work as MongoDB's administrator, for the users and roles of separate services. */
  administer<Value>(work: (admin: Db) => Promise<Value>): Promise<Value>
  setUser(username: string, password: string): Promise<void>
  /** From now on, another start on the directory waits for this server to close instead of failing. */
  announceClosing(): void
  close(): Promise<void>
}

export type EmbeddedOptions = {
  dataDir: string
  username: string
  password: string
  mongodBinary?: string | undefined
  cacheDir?: string | undefined
  /** Ports that mongod must leave alone: those of the server. */
  takenPorts?: readonly number[]
  /** Runs when an earlier server on the directory has closed, and before mongod is found and started. */
  beforeStart?: () => Promise<void>
  log: Logger
}

const shutdownWaitMs = 10_000
const primaryTimeoutMs = 60_000
const adminTimeoutMs = 5_000

/**
 * A replica set of one node, on loopback, with authentication. It exits within 5 s of this process, however this exits.
 * @throws StartError if the directory is in use or not writable, or if mongod is not found or does not start
 */
export async function startEmbeddedMongod(options: EmbeddedOptions): Promise<EmbeddedMongod> {
  const { log } = options
  if (process.platform === 'win32')
    throw new StartError('The embedded MongoDB does not run on Windows: set MONGODB_URI.')
  const dataDir = await prepareDataDir(options.dataDir)
  const lock = await lockDataDir(dataDir.root, shutdownWaitMs, () =>
    log.info('Waiting for the previous server to close'),
  )
  try {
    await options.beforeStart?.()
    const dataSeries = await readFileIfExists(dataDir.seriesFile)
    if (!dataSeries) log.info(`First start: the embedded MongoDB keeps its data in ${dataDir.root}`)
    const { path } = await findMongod({
      explicit: options.mongodBinary,
      cacheDir: options.cacheDir,
      spareCacheDir: join(dataDir.root, 'cache'),
      dataSeries,
      log,
    })
    const mongod = await startMongod(dataDir, path, shutdownWaitMs, options.takenPorts)
    await setUp(mongod, dataDir, options)
    const { port } = mongod
    const administer = <Value>(work: (admin: Db) => Promise<Value>) =>
      withAdmin(`127.0.0.1:${port}`, dataDir.key, adminTimeoutMs, work)
    const supervisor = superviseMongod(mongod, () => spawnMongod(dataDir, path, port), dataDir.logFile, log)
    return {
      uri: `mongodb://127.0.0.1:${port}/?replicaSet=${replicaSetName}`,
      administer,
      setUser: (username, password) => administer((admin) => ensureUser(admin, port, username, password)),
      announceClosing: () => lock.announceClosing(),
      close: async () => {
        lock.announceClosing()
        await supervisor.stop()
        await lock.release()
      },
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function setUp(mongod: MongodProcess, dataDir: DataDir, options: EmbeddedOptions): Promise<void> {
  const { port } = mongod
  const done = withAdmin(`127.0.0.1:${port}`, dataDir.key, adminTimeoutMs, async (admin) => {
    await ensurePrimary(admin, port, primaryTimeoutMs)
    await ensureUser(admin, port, options.username, options.password)
    await writeFileAtomic(dataDir.seriesFile, await readDataSeries(admin))
  })
  try {
    await done
  } catch (error) {
    await mongod.stop()
    const { message } = await mongod.startFailure()
    throw new StartError(
      `MongoDB started on DATA_DIR ${dataDir.root} but did not become ready: ${String(error)} (${message})`,
    )
  }
}
