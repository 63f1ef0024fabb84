import { randomUUID } from 'node:crypto'
import { type FileHandle, open, readFile, readlink, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { StartError } from '../start-error.ts'
import { lockFile } from './file-lock.ts'

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)

function toStartError(error: unknown, path: string): unknown {
  const code = codeOf(error)
  if (error instanceof StartError || typeof code !== 'string') return error
  return new StartError(`${path} cannot be used (${code}): check its path and permissions.`)
}

/** The file itself, whether or not it exists: replacing a symbolic link would leave its target as it was. */
async function resolveTarget(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    const target = await readlink(path).catch(() => undefined)
    if (target !== undefined) return resolveTarget(resolve(dirname(path), target))
    return join(await realpath(dirname(path)), basename(path))
  }
}

async function readIfExists(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((error) => (codeOf(error) === 'ENOENT' ? '' : Promise.reject(error)))
}

/** Reads a file; one that does not exist counts as empty. @throws StartError if it cannot be read */
export async function readFileOrEmpty(path: string): Promise<string> {
  return readIfExists(path).catch((error) => Promise.reject(toStartError(error, path)))
}

/**
 * Replaces a file's text, or that of a new one (''), atomically: a crash leaves the old text or the new one. Concurrent
 * changes follow one another. Mode and owner stay; a new file has mode 0600.
 * @throws StartError if the file cannot be changed
 */
export async function replaceFile(path: string, change: (text: string) => string): Promise<void> {
  try {
    const target = await resolveTarget(path)
    const lock = await lockFile(target)
    try {
      const text = await readIfExists(target)
      const changed = change(text)
      await writeBeside(target, changed, async (temporaryPath) => {
        const isCurrent = (await readIfExists(target)) === text
        if (!isCurrent || !(await lock.isHeld()))
          throw new StartError(`${path} was changed by another program at the same time: try again.`)
        await rename(temporaryPath, target)
      })
    } finally {
      await lock.release()
    }
  } catch (error) {
    throw toStartError(error, path)
  }
}

async function writeBeside(target: string, text: string, use: (path: string) => Promise<void>): Promise<void> {
  const temporaryPath = `${target}.${randomUUID()}.new`
  try {
    const file = await open(temporaryPath, 'wx', 0o600)
    try {
      await copyOwnerAndMode(target, file)
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await use(temporaryPath)
  } finally {
    await rm(temporaryPath, { force: true })
  }
  const directory = await open(dirname(target), 'r')
  // The rename itself is durable only then.
  await directory.sync().finally(() => directory.close())
}

async function copyOwnerAndMode(target: string, file: FileHandle): Promise<void> {
  const existing = await stat(target).catch(() => undefined)
  if (existing === undefined) return
  // Only root can give a file to another user. The mode for that file's group must not go to ours.
  const isGiven = await file.chown(existing.uid, existing.gid).then(
    () => true,
    () => false,
  )
  await file.chmod(existing.mode & (isGiven ? 0o777 : 0o700))
}
