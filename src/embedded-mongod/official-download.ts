import { readFile } from 'node:fs/promises'
import type { RequestOptions } from 'node:https'
import { sha256OfFile } from './checksum.ts'
import type { Logger } from './logger.ts'

export const officialVersion = '8.0.17'
const idleTimeoutMs = 8_000

/**
 * Downloads MongoDB's official build, and verifies the SHA-256 that is published beside it.
 * @throws Error with one line if none fits, the host is unreachable, or the checksum differs or is missing
 */
export async function downloadOfficial(dir: string, log: Logger): Promise<string> {
  const { DryMongoBinary } = await import('mongodb-memory-server-core/lib/util/DryMongoBinary.js')
  const { MongoBinaryDownload } = await import('mongodb-memory-server-core/lib/util/MongoBinaryDownload.js')

  class QuietDownload extends MongoBinaryDownload {
    #lastLoggedAt = 0

    // The package disables certificate validation, and the checksum comes from the same host.
    override httpDownload(url: URL, options: RequestOptions, to: string, temporary: string): Promise<string> {
      return super.httpDownload(url, { ...options, rejectUnauthorized: true }, to, temporary, 1, 0, idleTimeoutMs)
    }

    /** In place of the package's check, which knows MD5 only. Called before the archive is unpacked. */
    override async makeMD5check(md5Url: string, archive: string): Promise<true> {
      const published = await readFile(await this.download(md5Url.replace(/\.md5$/, '.sha256')), 'utf8')
      const [expected] = /^[0-9a-f]{64}\b/i.exec(published.trim()) ?? []
      const actual = await sha256OfFile(archive)
      if (expected?.toLowerCase() !== actual)
        throw new Error(`the archive's SHA-256 is ${actual}, not the published ${expected ?? 'one, which is missing'}`)
      return true
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
    return await new QuietDownload({ ...system, downloadDir: dir }).getMongodPath()
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
