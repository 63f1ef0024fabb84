import { transactor } from '../database/transaction.ts'
import { reconcile } from '../reconcile/reconcile.ts'
import { remainingDrift, resultLine, summaryLines } from '../reconcile/report.ts'
import { createSweeps } from '../reconcile/sweeps.ts'
import { StartError } from '../start-error.ts'
import { localWriter } from '../write-operations.ts'
import { handleInterrupts, print, printError, runCli } from './command.ts'
import { withDatabase } from './open-database.ts'

const help = `Usage: npm run reconcile -- [options]

Recounts every like, dislike, reply, post and follow, and the reactions of each day, and compares them with the stored
counts. The server can keep running.

The command connects to the database of the server's configuration: MONGODB_URI, or else the one in DATA_DIR.

  --fix     repairs the drift
  --help    prints this

The last line is the drift that remains: the sum of all differences between stored and real counts, and of the documents
whose post or account no longer exists. It must be 0.

Exit code: 0 no drift remains, 1 drift remains, 69 the database is out of reach, 78 bad options or configuration, 70 a fault
of the program, 130 or 143 interrupted.
`

/** The socket timeout, in milliseconds, exceeds MongoDB's snapshot history of 300 s: a slower read fails by itself. */
const clientOptions = { appName: 'rookery reconcile', socketTimeoutMS: 310_000 }

async function runReconcile(fix: boolean): Promise<number> {
  // npm run reconcile --fix: npm keeps the option, and a report without repairs would look like a repair.
  if (process.env.npm_config_fix === 'true')
    throw new StartError('npm kept --fix for itself: npm run reconcile -- --fix')
  // An aborted transaction would keep documents locked for a minute, so an interrupt lets the current one finish.
  const interrupts = handleInterrupts()
  return withDatabase(clientOptions, async ({ client, databaseName }) => {
    const db = client.db(databaseName)
    const transact = transactor(client)
    const sweeps = createSweeps(db, transact, localWriter(db, transact))
    const results = await reconcile(client, databaseName, sweeps, {
      fix,
      stop: interrupts.signal,
      onResult: (result) => print(resultLine(result)),
    })
    const exitCode = interrupts.exitCode()
    if (exitCode !== null) printError('Interrupted: the report covers only what was checked before.')
    for (const line of summaryLines(results)) print(line)
    return exitCode ?? (remainingDrift(results) === 0 ? 0 : 1)
  })
}

await runCli({
  help,
  args: { options: { fix: { type: 'boolean' } } },
  run: ({ values }) => runReconcile(values.fix ?? false),
})
