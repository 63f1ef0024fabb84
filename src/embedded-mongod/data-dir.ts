import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { StartError } from '../start-error.ts'

export type DataDir = {
  root: string
  dbPath: string
  keyFile: string
  key: string
  logFile: string
  portFile: string
  seriesFile: string
}

/** Creates what is missing in DATA_DIR; what exists keeps its modes. @throws StartError if that is not possible */
export async function prepareDataDir(dataDir: string): Promise<DataDir> {
  const root = resolve(dataDir)
  const mongodDir = join(root, 'mongod')
  const dbPath = join(mongodDir, 'data')
  const keyFile = join(mongodDir, 'key')
  try {
    await mkdir(root, { recursive: true, mode: 0o700 })
    await mkdir(mongodDir, { recursive: true, mode: 0o700 })
    await mkdir(dbPath, { recursive: true, mode: 0o700 })
    const files = {
      logFile: join(mongodDir, 'log'),
      portFile: join(mongodDir, 'port'),
      seriesFile: join(mongodDir, 'series'),
    }
    await writeFileAtomic(join(mongodDir, 'writable'), '')
    return { root, dbPath, keyFile, key: await readOrCreateKey(keyFile), ...files }
  } catch (error) {
    throw new StartError(`DATA_DIR ${root} cannot be used: ${reasonFor(error)}. Set another DATA_DIR.`)
  }
}

async function readOrCreateKey(keyFile: string): Promise<string> {
  const existing = await readFileIfExists(keyFile)
  if (existing) return existing
  const key = randomBytes(96).toString('base64')
  await writeFileAtomic(keyFile, key)
  return key
}

export async function readFileIfExists(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

export async function writeFileAtomic(file: string, content: string): Promise<void> {
  await writeFile(`${file}.new`, content, { mode: 0o600, flush: true })
  await rename(`${file}.new`, file)
}

const reasonByCode: Record<string, string> = {
  EACCES: 'this user has no permission to write there',
  EPERM: 'this user has no permission to write there',
  EROFS: 'it is on a read-only file system',
  ENOSPC: 'the disk is full',
  ENOTDIR: 'a part of the path is a file, not a directory',
  ENOENT: 'it does not exist and cannot be created',
  EEXIST: 'a file has that name',
}

function reasonFor(error: unknown): string {
  return reasonByCode[codeOf(error) ?? ''] ?? (error instanceof Error ? error.message : String(error))
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
