import { isUtf8 } from 'node:buffer'
import { readFile, stat } from 'node:fs/promises'
import { StartError } from '../start-error.ts'

/** Reads a file without its last newline. `variable` names it in a fault. @throws StartError if it is no secret */
export type ReadFile = (variable: string, path: string) => Promise<string>

/** Reads one file at a time: a read that hangs keeps one of Node's four threads, which also hash passwords. */
export function fileReader(): ReadFile {
  const pending = new Map<string, Promise<Buffer | undefined>>()
  let last: Promise<unknown> = Promise.resolve()

  function readInTurn(path: string): Promise<Buffer | undefined> {
    const joined = pending.get(path)
    if (joined) return joined
    const read = last
      .then(() => readRegularFile(path))
      .finally(() => {
        pending.delete(path)
      })
    last = read.catch(() => undefined)
    pending.set(path, read)
    return read
  }

  return async (variable, path) => {
    const bytes = await readInTurn(path).catch(() => {
      throw new StartError(`${variable} names a file that cannot be read: check its path and permissions`)
    })
    if (bytes === undefined)
      throw new StartError(`${variable} must name a regular file: a pipe could not be read again while the server runs`)
    // Decoding random bytes as UTF-8 would silently lose most of their entropy.
    if (!isUtf8(bytes))
      throw new StartError(`${variable} names a file that is not UTF-8 text: encode it, for example in base64`)
    const text = bytes.toString('utf8').replace(/\r?\n$/, '')
    if (text === '') throw new StartError(`${variable} names an empty file: write the secret to it`)
    return text
  }
}

/** @returns undefined for a pipe or a device: opening a pipe without a writer would hang */
async function readRegularFile(path: string): Promise<Buffer | undefined> {
  const isUnusual = await stat(path).then((found) => !found.isFile() && !found.isDirectory())
  return isUnusual ? undefined : readFile(path)
}
