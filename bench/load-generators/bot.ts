import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { reportSchema } from '../../bot/report/schema.ts'
import type { Generator } from './round.ts'

const maxBuffer = 64 * 1024 * 1024

/** The robots' program with `--only read-post`, which chooses the post itself. */
export const bot: Generator = {
  name: 'bot',
  async run({ url, rate, seconds }) {
    const load = ['--only', 'read-post', '--rate', String(rate), '--for', `${seconds}s`, '--ramp', '2s']
    const args = ['bot/index.ts', '--url', url.origin, ...load, '--json', '-']
    // It exits with 5 when this machine is too busy for valid figures.
    const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer }).catch(
      (error: { stdout?: string }) => ({ stdout: error.stdout ?? '' }),
    )
    const { series, total, load: measured } = reportSchema.parse(JSON.parse(stdout))
    const { latency, perSecond, count } = total
    const cpuSeconds = series.reduce((sum, { cpu }) => sum + cpu, 0)
    return {
      p50: latency.p50 ?? Number.NaN,
      p99: latency.p99 ?? Number.NaN,
      perSecond,
      cpuMicros: (cpuSeconds * 1_000_000) / Math.max(1, count),
      invalid: measured.invalid,
    }
  },
}
