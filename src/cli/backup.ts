import { open, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Writable } from 'node:stream'
import packageJson from '../../package.json' with { type: 'json' }
import { savedOf } from '../backup/collections.ts'
import { compressTo } from '../backup/file.ts'
import type { Trailer } from '../backup/format.ts'
import { saveBackup } from '../backup/save.ts'
import { collections } from '../collections.ts'
import { programVersion } from '../database/data-version.ts'
import { isSnapshotLost } from '../database/failures.ts'
import { StartError } from '../start-error.ts'
import { printError, runFileCommand } from './command.ts'
import { withDatabase } from './open-database.ts'
import { progress } from './progress.ts'

const help = `Usage: npm run backup -- FILE

Writes a backup of the database to FILE, a new file, or to standard output (-): every collection as of one moment, without
sessions and known devices. Secrets are not in the database: keep them apart. The server can keep running.

The command connects to the database of the server's configuration: MONGODB_URI, or else the one in DATA_DIR. The user of
MONGODB_URI needs the role rookery-backup, which npm run roles creates.

  --help  prints this

Exit code: 0 done, 69 the database is out of reach, 78 bad arguments or configuration, 70 a fault of the program, 130 or
143 interrupted.
`

/** The socket timeout, in milliseconds, exceeds MongoDB's snapshot history of 300 s: a slower read fails by itself. */
const clientOptions = { appName: 'rookery backup', socketTimeoutMS: 310_000 }

async function saveTo(output: Writable, signal: AbortSignal): Promise<Trailer> {
  const lines = progress()
  try {
    return await compressTo(output, signal, (sink) =>
      withDatabase(clientOptions, ({ client, databaseName }) =>
        saveBackup(client, databaseName, {
          collections: savedOf(collections),
          version: packageJson.version,
          dataVersion: programVersion,
          sink,
          onProgress: ({ collection, documents }) => lines.show(`${collection}: ${documents.toLocaleString('en')}`),
          signal,
        }),
      ),
    )
  } catch (error) {
    if (!isSnapshotLost(error)) throw error
    throw new StartError(
      'MongoDB gave up the snapshot before the backup was complete, as it does after five minutes, or at a failover: try again, or see docs/operations.md for large databases.',
      'out-of-reach',
    )
  } finally {
    lines.end()
  }
}

/** The file appears under its name only when it is complete. */
async function saveToFile(path: string, signal: AbortSignal): Promise<Trailer> {
  if (await stat(path).catch(() => undefined)) throw new StartError(`${path} exists already: name a new file.`)
  const partial = `${path}.partial`
  try {
    const file = await open(partial, 'wx', 0o600)
    try {
      const trailer = await saveTo(file.createWriteStream({ flush: true }), signal)
      await rename(partial, path)
      await syncFolder(dirname(path))
      return trailer
    } catch (error) {
      await rm(partial, { force: true })
      throw error
    } finally {
      await file.close()
    }
  } catch (error) {
    throw toFileError(error, path)
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  await folder.sync().finally(() => folder.close())
}

function toFileError(error: unknown, path: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException
  if (error instanceof StartError || syscall === undefined || syscall === 'connect') return error
  if (code === 'EEXIST')
    return new StartError(`${path}.partial exists already: another backup is writing it, or one was killed. Remove it.`)
  return new StartError(`${path} cannot be written (${code}): check the path, its permissions and the free space.`)
}

async function run(path: string, signal: AbortSignal): Promise<number> {
  if (path === '-' && process.stdout.isTTY) throw new StartError('Standard output is a terminal: name a file.')
  const { documents, sha256 } = path === '-' ? await saveTo(process.stdout, signal) : await saveToFile(path, signal)
  printError(`${documents.toLocaleString('en')} documents, checksum ${sha256.slice(0, 16)}`)
  return 0
}

await runFileCommand({ help, interrupted: 'Interrupted: there is no backup.', run })
