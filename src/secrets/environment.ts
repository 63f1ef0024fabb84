import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'

/**
 * Reads a secret from `NAME`, or from the file that `NAME_FILE` names, relative to `root`, without its last newline. Adds
 * faults to `faults`, never with the value.
 */
export async function readSecret(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  root: string,
  faults: string[],
): Promise<string | undefined> {
  const path = env[`${name}_FILE`]
  if (path === undefined) return env[name]
  if (env[name] !== undefined) {
    faults.push(`${name} and ${name}_FILE are both set: remove one of them`)
    return undefined
  }
  try {
    const bytes = await readFile(resolve(root, path))
    // Decoding random bytes as UTF-8 would silently lose most of their entropy.
    if (!isUtf8(bytes))
      faults.push(`${name}_FILE names a file that is not UTF-8 text: encode it, for example in base64`)
    else {
      const value = bytes.toString('utf8').replace(/\r?\n$/, '')
      if (value !== '') return value
      faults.push(`${name}_FILE names an empty file: write the secret to it`)
    }
  } catch {
    faults.push(`${name}_FILE names a file that cannot be read: check its path and permissions`)
  }
  return undefined
}
