import { setTimeout as sleep } from 'node:timers/promises'
import { StartError } from '../start-error.ts'
import { type Connection, connectClient, toConnectionError } from './connection.ts'

/** A try takes up to 4 s: see serverSelectionTimeoutMS in connection.ts. */
const tryEveryMs = 5_000

type Options = {
  patienceSeconds: number
  log: { warn(text: string): void }
  /** Before the first wait. */
  onWait?: () => Promise<void>
}

/**
 * Resolves when the database has a primary and accepts the user. Until then one line in 5 s says why it does not.
 * @throws StartError at once if waiting cannot help, and otherwise when the patience ends
 */
export async function waitForDatabase(
  connection: Connection,
  { patienceSeconds, log, onWait }: Options,
): Promise<void> {
  const begunAt = performance.now()
  for (let tries = 1; ; tries += 1) {
    const fault = await findFault(connection)
    if (fault === undefined) return
    const nextTryMs = tries * tryEveryMs
    if (fault.fault !== 'out-of-reach' || nextTryMs >= patienceSeconds * 1_000) throw fault
    if (tries === 1) await onWait?.()
    const waitedSeconds = Math.round((performance.now() - begunAt) / 1_000)
    log.warn(`waiting for the database (${waitedSeconds} of ${patienceSeconds} s): ${fault.message}`)
    await sleep(begunAt + nextTryMs - performance.now())
  }
}

async function findFault(connection: Connection): Promise<StartError | undefined> {
  try {
    const client = await connectClient(connection, 'indexes')
    await client.close()
    return undefined
  } catch (error) {
    const fault = toConnectionError(error, connection)
    if (fault instanceof StartError) return fault
    throw fault
  }
}
