import { StartError } from '../start-error.ts'
import { ensurePrimary, ensureUser, readDataSeries, replicaSetName, withAdmin } from './admin.ts'
import { type DataDir, prepareDataDir, readFileIfExists, writeFileAtomic } from './data-dir.ts'
import { lockDataDir } from './data-dir-lock.ts'
import { findMongod } from './find-binary.ts'
import type { Logger } from './logger.ts'
import { type MongodProcess, spawnMongod, startMongod } from './mongod-process.ts'
import { superviseMongod } from './supervisor.ts'

export type EmbeddedMongod = {
  /** without credentials */
  uri: string
  /** From now on another start on the folder waits for this server to end instead of giving up. */
  announceClosing(): void
  /** Ends mongod in order, within 5 s, and frees the data folder. */
  close(): Promise<void>
}

export type EmbeddedOptions = {
  /** made with mode 0700 if missing */
  dataDir: string
  /** the database user that exists from now on, with that password, whatever it was before */
  username: string
  password: string
  /** a mongod to use instead of searching (MONGOD_BINARY) */
  mongodBinary?: string | undefined
  /** where a fetched mongod is kept, ~/.cache/rookery unless given */
  cacheDir?: string | undefined
  log: Logger
}

/** How long a start waits for a server or a mongod that is still closing, in milliseconds. */
const shutdownWaitMs = 10_000
const primaryTimeoutMs = 60_000

/**
 * Runs a mongod of our own: one node, on loopback, password demanded, restarted when it dies, gone within 5 s of any
 * end of this process.
 * @throws StartError if the folder is in use or cannot be written, or no mongod is found or it does not start
 */
export async function startEmbeddedMongod(options: EmbeddedOptions): Promise<EmbeddedMongod> {
  const { log } = options
  if (process.platform === 'win32')
    throw new StartError('The embedded MongoDB does not run on Windows: set MONGODB_URI.')
  const folder = await prepareDataDir(options.dataDir)
  const lock = await lockDataDir(folder.root, shutdownWaitMs, () =>
    log.info('Waiting for the previous server to close'),
  )
  try {
    const dataSeries = await readFileIfExists(folder.seriesFile)
    if (!dataSeries) log.info(`First start: Rookery runs a MongoDB of its own and keeps the data in ${folder.root}`)
    const { path } = await findMongod({
      explicit: options.mongodBinary,
      cacheDir: options.cacheDir,
      dataSeries,
      log,
    })
    const mongod = await startMongod(folder, path, shutdownWaitMs)
    await setUp(mongod, folder, options)
    const { port } = mongod
    const supervision = superviseMongod(mongod, () => spawnMongod(folder, path, port), folder.logFile, log)
    return {
      uri: `mongodb://127.0.0.1:${port}/?replicaSet=${replicaSetName}`,
      announceClosing: () => lock.announceClosing(),
      close: async () => {
        lock.announceClosing()
        await supervision.end()
        await lock.release()
      },
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function setUp(mongod: MongodProcess, folder: DataDir, options: EmbeddedOptions): Promise<void> {
  const { port } = mongod
  const setUp = withAdmin(port, folder.key, 5_000, async (admin) => {
    await ensurePrimary(admin, port, primaryTimeoutMs)
    await ensureUser(admin, port, options.username, options.password)
    await writeFileAtomic(folder.seriesFile, await readDataSeries(admin))
  })
  try {
    await setUp
  } catch (error) {
    await mongod.stop()
    const { message } = await mongod.startFailure()
    throw new StartError(
      `MongoDB started on DATA_DIR ${folder.root} but did not get ready: ${String(error)} (${message})`,
    )
  }
}
