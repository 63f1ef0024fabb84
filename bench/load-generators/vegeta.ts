import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { z } from 'zod'
import { install, runTool } from '../peers/install.ts'
import type { Generator } from './round.ts'

const version = 'github.com/tsenart/vegeta/v12@v12.13.0'
const advice = 'install Go 1.22 or later'

/** Latencies in nanoseconds. */
const resultSchema = z.object({
  latencies: z.object({ '50th': z.number(), '99th': z.number() }),
  throughput: z.number(),
})

/**
 * Sends evenly at a fixed rate, as the bot does, and measures each request from when it is sent.
 * @throws PeerUnavailable if Go is missing
 */
export async function openVegeta(): Promise<Generator> {
  const directory = await install(
    {
      folder: import.meta.dirname,
      sources: ['vegeta.ts'],
      build: async (target) => void (await runTool('env', [`GOBIN=${target}`, 'go', 'install', version], advice)),
    },
    'vegeta',
  )
  const program = join(directory, 'vegeta')
  return {
    name: 'vegeta',
    async run({ url, rate, seconds }) {
      const script = '"$0" attack -rate "$1" -duration "$2s" | "$0" report -type json'
      const running = promisify(execFile)('sh', ['-c', script, program, String(rate), String(seconds)])
      running.child.stdin?.end(`GET ${url.href}\n`)
      const { latencies, throughput } = resultSchema.parse(JSON.parse((await running).stdout))
      const [p50, p99] = [latencies['50th'] / 1e6, latencies['99th'] / 1e6]
      return { p50, p99, perSecond: throughput, cpuMicros: null, invalid: [] }
    },
  }
}
