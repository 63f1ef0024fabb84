import { lstat, mkdtemp, readdir, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StartError } from './start-error.ts'

/** Longest name of a folder with this prefix, in bytes. */
export const folderNameBytes = (prefix: string): number => `${prefix}9fkk-2hwcg-abcdef`.length

/**
 * A process id means something within its namespace only, and containers can share a directory. Short, because the path of
 * a Unix socket must be: namespaces are numbered from one start, so their last digits differ.
 */
async function pidNamespace(): Promise<string> {
  const link = await readlink('/proc/self/ns/pid').catch(() => '')
  return (Number(/\d+/.exec(link)?.[0] ?? 0) % 36 ** 4).toString(36)
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

/** Only this user's own: another user could exchange parts of a folder while it is being removed. */
async function removeAbandoned(base: string, owned: string): Promise<void> {
  for (const name of await readdir(base)) {
    if (!name.startsWith(owned)) continue
    const [pid, random, ...more] = name.slice(owned.length).split('-')
    if (!pid || !/^[a-z\d]{1,5}$/.test(pid) || random?.length !== 6 || more.length > 0) continue
    if (isRunning(Number.parseInt(pid, 36))) continue
    const path = join(base, name)
    const found = await lstat(path).catch(() => undefined)
    if (found?.isDirectory() && found.uid === process.getuid?.())
      await rm(path, { recursive: true, force: true }).catch(() => undefined)
  }
}

/**
 * Creates a folder of mode 0700 that is named after this process. First it removes those of the same prefix whose
 * processes exited without removing them, as after SIGKILL.
 * @param base the directory to create it in; default: that of TMPDIR
 * @throws StartError if TMPDIR cannot be used; Error if `base` cannot
 */
export async function temporaryFolder(prefix: string, base?: string): Promise<string> {
  const parent = base ?? tmpdir()
  const owned = `${prefix}${await pidNamespace()}-`
  await removeAbandoned(parent, owned).catch(() => undefined)
  return mkdtemp(join(parent, `${owned}${process.pid.toString(36)}-`)).catch((error) => {
    if (base !== undefined) throw error
    throw new StartError(`${parent} cannot be used for temporary files (${error.code}): export another TMPDIR.`)
  })
}
