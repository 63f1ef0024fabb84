import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StartError } from '../start-error.ts'

/**
 * A secret that is made at the first start and kept: 256 random bits in a file of mode 0600.
 *
 * @param make - whether it may be made now.
 * @throws StartError when the folder cannot be written, or the secret would have to be made and may not.
 */
export async function generatedSecret(dataDir: string, name: string, make = true): Promise<string> {
  const path = join(dataDir, name)
  const fresh = `${path}.${process.pid}.new`
  try {
    const kept = (await readFile(path, 'utf8').catch(() => '')).trim()
    if (kept !== '') return kept
    if (!make)
      throw new StartError(`There is no database in DATA_DIR ${dataDir}: start the server once, or set DATA_DIR.`)
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    await writeFile(fresh, randomBytes(32).toString('base64url'), { mode: 0o600, flush: true })
    // link() never replaces: of two servers that start at once both read the same secret, and no half-written one.
    await link(fresh, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    const secret = (await readFile(path, 'utf8')).trim()
    if (secret !== '') return secret
  } catch (error) {
    if (error instanceof StartError) throw error
    const code = error instanceof Error && 'code' in error ? ` (${error.code})` : ''
    throw new StartError(
      `DATA_DIR ${dataDir} cannot be used for the generated secrets${code}: check that it can be written`,
    )
  } finally {
    await rm(fresh, { force: true }).catch(() => undefined)
  }
  throw new StartError(`${path} is empty: remove it and start again to have a new secret made`)
}
