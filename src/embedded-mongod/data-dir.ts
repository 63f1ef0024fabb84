import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { StartError } from '../start-error.ts'

export type DataDir = {
  root: string
  /** what mongod itself keeps */
  data: string
  keyFile: string
  key: string
  logFile: string
  portFile: string
  seriesFile: string
}

/**
 * Makes what is missing of the folder; what is there already keeps its modes.
 * @throws StartError if it cannot be written to
 */
export async function prepareDataDir(dataDir: string): Promise<DataDir> {
  const root = resolve(dataDir)
  const own = join(root, 'mongod')
  const data = join(own, 'data')
  const keyFile = join(own, 'key')
  try {
    await mkdir(root, { recursive: true, mode: 0o700 })
    await mkdir(own, { recursive: true, mode: 0o700 })
    await mkdir(data, { recursive: true, mode: 0o700 })
    const files = { logFile: join(own, 'log'), portFile: join(own, 'port'), seriesFile: join(own, 'series') }
    await writeFileAtomic(join(own, 'writable'), '')
    return { root, data, keyFile, key: await readOrCreateKey(keyFile), ...files }
  } catch (error) {
    throw new StartError(`DATA_DIR ${root} cannot be used: ${reasonFor(error)}`)
  }
}

/** A lost key may be made anew: it is nowhere in the data, mongod reads it at each start. */
async function readOrCreateKey(keyFile: string): Promise<string> {
  const present = await readFileIfExists(keyFile)
  if (present) return present
  const key = randomBytes(96).toString('base64')
  await writeFileAtomic(keyFile, key)
  return key
}

/** @returns undefined if there is no such file */
export async function readFileIfExists(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Writes the file whole or not at all, for the owner's eyes only. */
export async function writeFileAtomic(file: string, content: string): Promise<void> {
  await writeFile(`${file}.new`, content, { mode: 0o600, flush: true })
  await rename(`${file}.new`, file)
}

const reasonByCode: Record<string, string> = {
  EACCES: 'this user may not write there',
  EPERM: 'this user may not write there',
  EROFS: 'it is on a read-only file system',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of the path is a file, not a folder',
  ENOENT: 'it does not exist and cannot be made',
  EEXIST: 'there is a file of that name',
}

function reasonFor(error: unknown): string {
  return reasonByCode[codeOf(error) ?? ''] ?? (error instanceof Error ? error.message : String(error))
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
