import type { ReadinessCheck } from '../operations/readiness.ts'
import type { Progress } from './progress.ts'

const maxStallMs = 2_000

/** @param silentMs - how long a writer in another process has given no sign of life */
export function writerChecks({ stalledMs }: Pick<Progress, 'stalledMs'>, silentMs?: () => number): ReadinessCheck[] {
  const checks: ReadinessCheck[] = [
    {
      name: 'writes',
      fault: 'writes wait and none is committed',
      code: 'overloaded',
      blames: 'either',
      isReady: () => stalledMs() < maxStallMs,
    },
  ]
  if (!silentMs) return checks
  const isReady = () => silentMs() < maxStallMs
  return [{ name: 'writer', fault: 'the writer does not respond', code: 'overloaded', isReady }, ...checks]
}
