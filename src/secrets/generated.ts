import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StartError } from '../start-error.ts'
import type { SecretTexts } from './names.ts'
import type { SecretReader } from './reader.ts'
import { hasSource } from './source-faults.ts'
import { generatedTotpKeys } from './totp-keys.ts'

/**
 * Reads a generated secret: 256 random bits in a file of mode 0600.
 * @throws StartError if the directory is not writable, or if the secret does not exist and `create` is false.
 */
export async function readOrCreateSecret(dataDir: string, name: string, create = true): Promise<string> {
  const path = join(dataDir, name)
  const temporaryPath = `${path}.${process.pid}.new`
  try {
    const existing = (await readFile(path, 'utf8').catch(() => '')).trim()
    if (existing !== '') return existing
    if (!create)
      throw new StartError(`There is no database in DATA_DIR ${dataDir}: start the server once, or set DATA_DIR.`)
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    await writeFile(temporaryPath, randomBytes(32).toString('base64url'), { mode: 0o600, flush: true })
    // link() never replaces a file: two servers that start at once read the same, completely written secret.
    await link(temporaryPath, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    const secret = (await readFile(path, 'utf8')).trim()
    if (secret !== '') return secret
  } catch (error) {
    if (error instanceof StartError) throw error
    const code = error instanceof Error && 'code' in error ? ` (${error.code})` : ''
    throw new StartError(
      `DATA_DIR ${dataDir} cannot be used for the generated secrets${code}: make it writable, or set DATA_DIR to a directory that is.`,
    )
  } finally {
    await rm(temporaryPath, { force: true }).catch(() => undefined)
  }
  throw new StartError(`${path} is empty: remove it, and the next start generates a new secret.`)
}

type Options = {
  create: boolean
  /** The others are required with an external database. */
  isEmbedded: boolean
}

/** The secrets of the embedded mode that no variable sets. */
export async function readGeneratedSecrets(
  reader: SecretReader,
  dataDir: string,
  { create, isEmbedded }: Options,
): Promise<SecretTexts> {
  const texts: SecretTexts = {}
  if (!hasSource(reader, 'DB_PASSWORD', 'DB_CREDENTIALS'))
    texts.DB_PASSWORD = await readOrCreateSecret(dataDir, 'db-password', create)
  if (!hasSource(reader, 'JWT_SIGN_KEY', 'JWT_SIGN_KEYS'))
    texts.JWT_SIGN_KEY = await readOrCreateSecret(dataDir, 'jwt-sign-key', create)
  if (isEmbedded && !hasSource(reader, 'TOTP_KEYS')) {
    const secret = await readTotpKey(dataDir, create)
    if (secret !== undefined) texts.TOTP_KEYS = generatedTotpKeys(secret)
  }
  return texts
}

/** A database of an earlier version has none until the server starts. */
async function readTotpKey(dataDir: string, create: boolean): Promise<string | undefined> {
  const name = 'totp-key'
  if (create) return readOrCreateSecret(dataDir, name)
  const text = await readFile(join(dataDir, name), 'utf8').catch(() => '')
  return text.trim() || undefined
}
