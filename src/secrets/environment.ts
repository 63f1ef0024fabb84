import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'

/**
 * A secret from `NAME`, or from the file that `NAME_FILE` names (its last newline is not part of it); a relative name
 * starts from `root`.
 * What is wrong is added to `faults`, never with the value.
 */
export async function environmentSecret(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  root: string,
  faults: string[],
): Promise<string | undefined> {
  const path = env[`${name}_FILE`]
  if (path === undefined) return env[name]
  if (env[name] !== undefined) {
    faults.push(`${name} and ${name}_FILE are both set: keep one of them`)
    return undefined
  }
  try {
    const bytes = await readFile(resolve(root, path))
    // Random bytes would lose most of their randomness in the decoding, and nobody would notice.
    if (!isUtf8(bytes)) faults.push(`${name}_FILE names a file that is not text in UTF-8`)
    else {
      const value = bytes.toString('utf8').replace(/\r?\n$/, '')
      if (value !== '') return value
      faults.push(`${name}_FILE names an empty file`)
    }
  } catch {
    faults.push(`${name}_FILE names a file that cannot be read`)
  }
  return undefined
}
