import { arch, cpus, platform, release, totalmem } from 'node:os'
import packageJson from '../../package.json' with { type: 'json' }
import type { Figures } from '../load/measurements.ts'
import type { Expectation } from '../options/expectation.ts'
import { exitReasons } from './exit-code.ts'
import { judgeExpectations } from './expectations.ts'
import type { Report } from './schema.ts'

/** What a run knows at its end. Nothing in it may be a secret: the report holds all of it. */
export type Ended = Pick<Report, 'run' | 'limits' | 'url' | 'seed' | 'options' | 'unexpected' | 'check'> & {
  serverVersion: string | null
  figures: Figures
  expectations: readonly Expectation[]
  /** Whether the run was to measure: one that is bounded by counts only shows its figures. */
  isMeasurement: boolean
}

/** Puts the report of a run together, with its verdicts. */
export function buildReport({ figures, expectations, serverVersion, isMeasurement, ...ended }: Ended): Report {
  const { seconds, total, actions, errors, series, silences, faults, arrivals, late, loopDelayP99, invalid } = figures
  const judged = {
    ...ended,
    load: { arrivals, late, loopDelayP99Ms: loopDelayP99, isJudged: isMeasurement || expectations.length > 0, invalid },
    expectations: judgeExpectations(expectations, figures),
  }
  const all = exitReasons(judged)
  return {
    format: 'rookery-bot-report/1',
    ...judged,
    ...{ seconds, total, actions, errors, series, silences, faults },
    versions: { bot: packageJson.version, node: process.version, server: serverVersion },
    machine: {
      system: `${platform()} ${release()} ${arch()}`,
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: cpus().length,
      memoryBytes: totalmem(),
    },
    exit: { code: all[0]?.code ?? 0, all },
  }
}
