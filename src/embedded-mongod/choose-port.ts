import { setTimeout as delay } from 'node:timers/promises'
import { StartError } from '../start-error.ts'
import { withAdmin } from './admin.ts'
import { type DataDir, readFileIfExists, writeFileAtomic } from './data-dir.ts'
import { findFreePort, isPortFree } from './port.ts'

/** Our own mongod refuses logins while it shuts down; a process that does so for longer is another program. */
const shutdownMs = 3_000
const pingTimeoutMs = 700

/**
 * Returns the port of the previous start if it is free and not one of `taken`, otherwise another one. Waits while our own mongod still listens
 * there, and shuts it down after half the time: its server was killed, and its guard too.
 * @throws StartError if our own mongod still listens at the deadline (milliseconds since the Unix epoch)
 */
export async function choosePort(dataDir: DataDir, deadline: number, taken: readonly number[] = []): Promise<number> {
  const previous = Number(await readFileIfExists(dataDir.portFile))
  if (previous && !taken.includes(previous) && (await waitUntilFree(previous, dataDir.key, deadline))) return previous
  const port = await findFreePort(taken)
  await writeFileAtomic(dataDir.portFile, String(port))
  return port
}

async function waitUntilFree(port: number, key: string, deadline: number): Promise<boolean> {
  const shutDownAt = deadline - (deadline - Date.now()) / 2
  let recognizedAt = Date.now()
  while (!(await isPortFree(port))) {
    if (Date.now() > deadline)
      throw new StartError(`The MongoDB of an earlier start does not shut down (port ${port}).`, 'out-of-reach')
    if (await isOwnMongod(port, key, Date.now() > shutDownAt)) recognizedAt = Date.now()
    else if (Date.now() - recognizedAt > shutdownMs) return false
    await delay(200)
  }
  return true
}

async function isOwnMongod(port: number, key: string, shutDown: boolean): Promise<boolean> {
  try {
    await withAdmin(`127.0.0.1:${port}`, key, pingTimeoutMs, async (admin) => {
      if (shutDown) await admin.command({ shutdown: 1, force: true, timeoutSecs: 1 }).catch(() => undefined)
    })
    return true
  } catch {
    return false
  }
}
