import { stat } from 'node:fs/promises'
import { savedOf } from '../backup/collections.ts'
import { readBackup } from '../backup/file.ts'
import { BackupFormatError, type Header, type Trailer } from '../backup/format.ts'
import { assertRestorable, finishRestore, loadBackup } from '../backup/load.ts'
import { collections } from '../collections.ts'
import { programVersion, raiseDataVersion } from '../database/data-version.ts'
import { ensureIndexes } from '../database/indexes.ts'
import { transactor } from '../database/transaction.ts'
import { reconcile } from '../reconcile/reconcile.ts'
import { remainingDrift, resultLine, summaryLines } from '../reconcile/report.ts'
import { createSweeps } from '../reconcile/sweeps.ts'
import { StartError } from '../start-error.ts'
import { localWriter } from '../write-operations.ts'
import { print, printError, runFileCommand } from './command.ts'
import { withDatabase } from './open-database.ts'
import { progress } from './progress.ts'

const help = `Usage: npm run restore -- FILE

Fills an empty database with a backup of npm run backup, builds its indexes, and recounts it as npm run reconcile does.
No server may run on the database. All users have to log in: a backup holds no sessions. Interrupted, it can be repeated
with the same file; no server starts on a part.

The command connects to the database of the server's configuration: MONGODB_URI, or else the one in DATA_DIR, a new one
included. The user of MONGODB_URI is the server's, with the role rookery.

  --help  prints this

Exit code: 0 done, 1 the restored counts differ, 69 the database is out of reach, 78 bad arguments, file or
configuration, 70 a fault of the program, 130 or 143 interrupted.
`

/** Building an index takes as long as it takes. */
const clientOptions = { appName: 'rookery restore', socketTimeoutMS: 0, isNew: true }

const formatNumber = (number: number) => number.toLocaleString('en')

const saved = savedOf(collections)

/** @throws StartError unless the file is a whole backup, of collections that backups hold: before anything is written */
async function verify(path: string, signal: AbortSignal): Promise<Trailer & Pick<Header, 'startedAt' | 'dataVersion'>> {
  const file = await stat(path).catch(() => undefined)
  if (!file?.isFile()) throw new StartError(`${path} cannot be read: name a backup.`)
  let header: Pick<Header, 'startedAt' | 'version' | 'dataVersion'> = {
    startedAt: new Date(0),
    version: '',
    dataVersion: 0,
  }
  let trailer: Trailer | undefined
  let unknown: string | undefined
  try {
    for await (const part of readBackup(path)) {
      signal.throwIfAborted()
      if (part.kind === 'header') header = part.header
      if (part.kind === 'document' && !saved.includes(part.collection)) unknown ??= part.collection
      if (part.kind === 'trailer') trailer = part.trailer
    }
  } catch (error) {
    if (error instanceof Error && 'syscall' in error)
      throw new StartError(`${path} cannot be read: check its permissions.`)
    if (error instanceof BackupFormatError) throw new StartError(`${path} cannot be restored: ${error.message}.`)
    throw error
  }
  if (header.dataVersion > programVersion)
    throw new StartError(
      `${path} is of Rookery ${header.version}, and this program is older: restore it with that one.`,
    )
  if (unknown !== undefined)
    throw new StartError(
      `${path} cannot be restored: it has documents of the collection ${JSON.stringify(unknown)}, which no backup holds. Name a file that npm run backup wrote.`,
    )
  if (!trailer) throw new Error('a backup ended without its trailer')
  return { ...trailer, startedAt: header.startedAt, dataVersion: header.dataVersion }
}

async function restore(path: string, signal: AbortSignal): Promise<number> {
  const backup = await verify(path, signal)
  printError(
    `${path}: ${formatNumber(backup.documents)} documents of ${backup.startedAt.toISOString()}; the file is complete`,
  )
  return withDatabase(clientOptions, async ({ client, databaseName }) => {
    const db = client.db(databaseName)
    await assertRestorable(db, backup, saved)
    await raiseDataVersion(db, backup.dataVersion)
    const lines = progress()
    try {
      await loadBackup(db, backup, {
        parts: readBackup(path),
        onProgress: (written) => lines.show(`${formatNumber(written)} of ${formatNumber(backup.documents)}`),
        signal,
      })
      lines.show('building indexes')
      await ensureIndexes(db, collections, {
        onBegun() {},
        onBuilt: (collection, seconds) => lines.show(`${collection}: indexes built in ${seconds} s`),
      })
      await finishRestore(db, backup)
    } finally {
      lines.end()
    }
    const transact = transactor(client)
    const results = await reconcile(client, databaseName, createSweeps(db, transact, localWriter(db, transact)), {
      fix: false,
      stop: signal,
      onResult: (result) => printError(resultLine(result)),
    })
    for (const line of summaryLines(results)) print(line)
    return remainingDrift(results) === 0 ? 0 : 1
  })
}

await runFileCommand({ help, interrupted: 'Interrupted: repeat it with the same file.', run: restore })
