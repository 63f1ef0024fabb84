import type { RequestOptions } from 'node:https'
import type { Logger } from './logger.ts'

export const officialVersion = '8.0.17'
const idleTimeoutMs = 8_000

/** Downloads MongoDB's official build. @throws Error with one line if none fits or the host is unreachable */
export async function downloadOfficial(dir: string, log: Logger): Promise<string> {
  const { DryMongoBinary } = await import('mongodb-memory-server-core/lib/util/DryMongoBinary.js')
  const { MongoBinaryDownload } = await import('mongodb-memory-server-core/lib/util/MongoBinaryDownload.js')

  class QuietDownload extends MongoBinaryDownload {
    #lastLoggedAt = 0

    // The package disables certificate validation, and the MD5 checksum comes from the same host.
    override httpDownload(url: URL, options: RequestOptions, to: string, temporary: string): Promise<string> {
      return super.httpDownload(url, { ...options, rejectUnauthorized: true }, to, temporary, 1, 0, idleTimeoutMs)
    }

    override printDownloadProgress(chunk: { length: number }): void {
      this.dlProgress.current += chunk.length
      if (Date.now() - this.#lastLoggedAt < 2_000) return
      this.#lastLoggedAt = Date.now()
      log.info(`  ${megabytes(this.dlProgress.current)} of ${megabytes(this.dlProgress.length)} MB`)
    }
  }

  log.info(`Downloading MongoDB ${officialVersion} (first start only)`)
  const fetch = async () => {
    const system = await DryMongoBinary.generateOptions({ downloadDir: dir, version: officialVersion })
    return await new QuietDownload({ ...system, downloadDir: dir, checkMD5: true }).getMongodPath()
  }
  return withSilentConsole(fetch).catch((error: Error) => {
    throw new Error(error.message.replace(/\s*\n\s*/g, ' ').slice(0, 300))
  })
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0)
}

async function withSilentConsole<Value>(work: () => Promise<Value>): Promise<Value> {
  const { warn, error } = console
  console.warn = console.error = () => {}
  try {
    return await work()
  } finally {
    Object.assign(console, { warn, error })
  }
}
