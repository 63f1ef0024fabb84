import { setTimeout as delay } from 'node:timers/promises'
import { StartError } from '../start-error.ts'
import { withAdmin } from './admin.ts'
import { type DataDir, readFileIfExists, writeFileAtomic } from './data-dir.ts'
import { findFreePort, isPortFree } from './port.ts'

/** Our own mongod lets nobody in while it is closing; what is there longer than this, in milliseconds, is not ours. */
const shutdownMs = 3_000
/** Long enough for our own mongod to let us in, in milliseconds. */
const pingTimeoutMs = 700

/**
 * The port of the last time if it is free, else another one. If our own mongod still listens there it is waited for,
 * and, when nobody ends it, told to end.
 * @param deadline in milliseconds since the epoch
 * @throws StartError if our own mongod is still there at the deadline
 */
export async function choosePort(folder: DataDir, deadline: number): Promise<number> {
  const remembered = Number(await readFileIfExists(folder.portFile))
  if (remembered && (await waitUntilFree(remembered, folder.key, deadline))) return remembered
  const port = await findFreePort()
  await writeFileAtomic(folder.portFile, String(port))
  return port
}

async function waitUntilFree(port: number, key: string, deadline: number): Promise<boolean> {
  const orphanedFrom = deadline - (deadline - Date.now()) / 2
  let knownAt = Date.now()
  while (!(await isPortFree(port))) {
    if (Date.now() > deadline) throw new StartError(`A MongoDB of an earlier start does not end (port ${port}).`)
    if (await isOwnMongod(port, key, Date.now() > orphanedFrom)) knownAt = Date.now()
    else if (Date.now() - knownAt > shutdownMs) return false
    await delay(200)
  }
  return true
}

/** Only a mongod with our key lets its owner in. */
async function isOwnMongod(port: number, key: string, shutDown: boolean): Promise<boolean> {
  try {
    await withAdmin(port, key, pingTimeoutMs, async (admin) => {
      // The answer to a shutdown is a broken connection.
      if (shutDown) await admin.command({ shutdown: 1, force: true, timeoutSecs: 1 }).catch(() => undefined)
    })
    return true
  } catch {
    return false
  }
}
