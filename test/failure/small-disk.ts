import { execFile } from 'node:child_process'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
/** A mongod needs about 250 MB for an empty database. */
const sizeMb = 600
const chunk = Buffer.alloc(1 << 20)

/** A file system in memory that can be full. */
export type SmallDisk = { folder: string; fill(): Promise<void>; free(): Promise<void> }

/** Runs `use` with a small disk at the folder, or with the reason why this user cannot have one: root can. */
export async function withSmallDisk<T>(folder: string, use: (disk: SmallDisk | string) => Promise<T>): Promise<T> {
  await mkdir(folder, { recursive: true })
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m`, 'tmpfs', folder])
  } catch (error) {
    return use(`mount is not permitted: ${String(error).split('\n')[1]}`)
  }
  const ballast = join(folder, 'ballast')
  try {
    return await use({ folder, fill: () => fill(ballast), free: () => rm(ballast, { force: true }) })
  } finally {
    await run('umount', ['--lazy', folder])
  }
}

async function fill(path: string): Promise<void> {
  const file = await open(path, 'w')
  try {
    for (;;) await file.write(chunk)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  } finally {
    await file.close()
  }
}
