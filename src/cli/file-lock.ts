import { randomUUID } from 'node:crypto'
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { StartError } from '../start-error.ts'

/** A change takes milliseconds. A lock of this age belongs to a process that was killed. */
const staleAfterMs = 10_000
const giveUpAfterMs = 30_000

export type FileLock = { isHeld(): Promise<boolean>; release(): Promise<void> }

const hasCode = (error: unknown, code: string) => error instanceof Error && 'code' in error && error.code === code

/**
 * Locks a file among all processes that see its directory, with a file NAME.lock beside it.
 * @throws StartError if others keep it locked for 30 s, an Error of the file system if the directory is not writable
 */
export async function lockFile(path: string): Promise<FileLock> {
  const lockPath = `${path}.lock`
  const id = randomUUID()
  for (const deadline = performance.now() + giveUpAfterMs; performance.now() < deadline; await sleep(20)) {
    if (await create(lockPath, id)) return createLock(lockPath, id)
    await removeIfStale(lockPath)
  }
  throw new StartError(`Other processes keep ${path} locked: try again, or remove ${lockPath} if there are none.`)
}

async function create(lockPath: string, id: string): Promise<boolean> {
  const file = await open(lockPath, 'wx', 0o600).catch((error: unknown) => {
    if (hasCode(error, 'EEXIST')) return undefined
    throw error
  })
  if (file === undefined) return false
  await file.writeFile(id).finally(() => file.close())
  return true
}

function createLock(lockPath: string, id: string): FileLock {
  const isHeld = async () => (await readFile(lockPath, 'utf8').catch(() => '')) === id
  return {
    isHeld,
    release: async () => {
      if (await isHeld()) await rm(lockPath, { force: true })
    },
  }
}

async function removeIfStale(lockPath: string): Promise<void> {
  const found = await stat(lockPath).catch(() => undefined)
  if (found === undefined || Date.now() - found.mtimeMs < staleAfterMs) return
  // Of several processes that see the stale lock, one renames it. A lock that another has created since is lost, which
  // its holder sees in `isHeld` before it changes the file.
  const stalePath = `${lockPath}.${randomUUID()}`
  await rename(lockPath, stalePath).catch(() => undefined)
  await rm(stalePath, { force: true })
}
