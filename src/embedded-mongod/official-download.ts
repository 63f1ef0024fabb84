import type { RequestOptions } from 'node:https'
import type { Logger } from './logger.ts'

export const officialVersion = '8.0.17'
/** Longest silence of the download host, in milliseconds: where it cannot be reached, the next way is tried soon. */
const idleTimeoutMs = 8_000

/**
 * Downloads MongoDB's own build for this system into the folder.
 * @returns the path of mongod
 * @throws Error in one line if there is none for this system or the host cannot be reached
 */
export async function downloadOfficial(folder: string, log: Logger): Promise<string> {
  const { DryMongoBinary } = await import('mongodb-memory-server-core/lib/util/DryMongoBinary.js')
  const { MongoBinaryDownload } = await import('mongodb-memory-server-core/lib/util/MongoBinaryDownload.js')

  class QuietDownload extends MongoBinaryDownload {
    #lastShown = 0

    // Left alone it skips the check of the host's certificate, and the MD5 comes from the same host.
    override httpDownload(url: URL, options: RequestOptions, to: string, temporary: string): Promise<string> {
      return super.httpDownload(url, { ...options, rejectUnauthorized: true }, to, temporary, 1, 0, idleTimeoutMs)
    }

    override printDownloadProgress(chunk: { length: number }): void {
      this.dlProgress.current += chunk.length
      if (Date.now() - this.#lastShown < 2_000) return
      this.#lastShown = Date.now()
      log.info(`  ${megabytes(this.dlProgress.current)} of ${megabytes(this.dlProgress.length)} MB`)
    }
  }

  log.info(`Fetching MongoDB ${officialVersion} from its makers, once`)
  const fetch = async () => {
    const system = await DryMongoBinary.generateOptions({ downloadDir: folder, version: officialVersion })
    return await new QuietDownload({ ...system, downloadDir: folder, checkMD5: true }).getMongodPath()
  }
  return withSilentConsole(fetch).catch((error: Error) => {
    throw new Error(error.message.replace(/\s*\n\s*/g, ' ').slice(0, 300))
  })
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0)
}

/** The package warns on the console about systems it does not know; the error that follows says it in our words. */
async function withSilentConsole<Value>(work: () => Promise<Value>): Promise<Value> {
  const { warn, error } = console
  console.warn = console.error = () => {}
  try {
    return await work()
  } finally {
    Object.assign(console, { warn, error })
  }
}
