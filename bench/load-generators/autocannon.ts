import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { z } from 'zod'
import type { Generator } from './round.ts'

const version = 'autocannon@9.0.0'
const connections = 50

const resultSchema = z.object({
  latency: z.object({ p50: z.number(), p99: z.number() }),
  requests: z.object({ average: z.number() }),
})

/**
 * npx downloads it. At a fixed rate each of its connections sends the requests of a second at once, one after another, at
 * the beginning of that second: its latencies are those of bursts.
 */
export const autocannon: Generator = {
  name: 'autocannon',
  async run({ url, rate, seconds }) {
    const load = ['--connections', String(connections), '--overallRate', String(rate), '--duration', String(seconds)]
    const { stdout } = await promisify(execFile)('npx', ['--yes', version, ...load, '--json', url.href])
    const { latency, requests } = resultSchema.parse(JSON.parse(stdout))
    return { ...latency, perSecond: requests.average, cpuMicros: null, invalid: [] }
  },
}
