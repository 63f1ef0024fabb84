import { createReadStream } from 'node:fs'
import { PassThrough, pipeline, type Writable } from 'node:stream'
import { pipeline as piped } from 'node:stream/promises'
import { createGunzip, createGzip } from 'node:zlib'
import { BackupFormatError, type BackupPart, decodeBackup } from './format.ts'

/** A snapshot lasts five minutes: speed matters more than a tenth of the size. */
const gzipLevel = 1

type Sink = (bytes: Buffer) => Promise<void>

/**
 * Compresses what `save` gives to its sink. The signal also ends the wait for an output that takes nothing.
 * @throws what `save` or the output throws, or the signal's AbortError
 */
export async function compressTo<Result>(
  output: Writable,
  signal: AbortSignal,
  save: (sink: Sink) => Promise<Result>,
): Promise<Result> {
  const source = new PassThrough()
  // A destroyed stream forgets the write that it was about to pass on.
  const closed = new Promise<never>((_, reject) => {
    source.once('close', () => reject(source.errored ?? new Error('the output has ended')))
  })
  closed.catch(() => undefined)
  const write = (bytes: Buffer) =>
    Promise.race([
      closed,
      new Promise<void>((resolve, reject) => source.write(bytes, (error) => (error ? reject(error) : resolve()))),
    ])
  const saving = save(write).then(
    (result) => {
      source.end()
      return result
    },
    (error) => {
      source.destroy(error)
      throw error
    },
  )
  const [saved, written] = await Promise.allSettled([
    saving,
    piped(source, createGzip({ level: gzipLevel }), output, { signal }),
  ])
  // First the output's: after it the sink only tells that the stream has ended.
  if (written.status === 'rejected') throw written.reason
  if (saved.status === 'rejected') throw saved.reason
  return saved.value
}

/** @throws BackupFormatError unless the file is one complete backup */
export async function* readBackup(path: string): AsyncGenerator<BackupPart, void, void> {
  const bytes = pipeline(createReadStream(path), createGunzip(), () => undefined)
  try {
    yield* decodeBackup(bytes)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (code === 'Z_BUF_ERROR') throw new BackupFormatError('its end is missing')
    if (code.startsWith('Z_')) throw new BackupFormatError('it is damaged, or no backup')
    throw error
  }
}
