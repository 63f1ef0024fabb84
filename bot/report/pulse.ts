import type { Measurements } from '../load/measurements.ts'
import type { Progress } from '../progress.ts'
import type { Display } from './display.ts'
import { phaseText, type RunView } from './view.ts'

/** What the display shows beside the measurements. */
export type RunStatus = Pick<RunView, 'robots' | 'phase' | 'checked'>

/**
 * Once a second, ends the second in the measurements, updates the display, and calls `onSilence` when the server has
 * been silent for too long. Returns what ends it.
 */
export function startPulse(
  measurements: Measurements,
  status: RunStatus,
  display: Display,
  { maxSilenceMs, onSilence }: { maxSilenceMs: number; onSilence: () => void },
  now: () => number = () => performance.now(),
  intervalMs = 1_000,
): () => void {
  const startedAt = now()
  let isSilent = false
  const beat = () => {
    measurements.tick()
    const { second, errors, series } = measurements.latest
    const silentMs = measurements.silence.silentMs(now())
    display.show({
      ...status,
      ...{ elapsedMs: now() - startedAt, silentMs, errors, rates: series.slice(-60).map(({ requests }) => requests) },
      ...{ p50: second?.p50 ?? null, p99: second?.p99 ?? null, max: second?.max ?? null },
    })
    if (silentMs > maxSilenceMs && !isSilent) onSilence()
    isSilent = silentMs > maxSilenceMs
  }
  const timer = setInterval(beat, intervalMs)
  return () => clearInterval(timer)
}

/** Shows phases in `status`, and prints a line at the end of each. Counts what the verification, which is not measured, has read. */
export function phasesIn(status: RunStatus, display: Display, onPhase: (name: string) => void): Progress {
  return {
    begin(name, total) {
      onPhase(name)
      const startedAt = performance.now()
      const phase = { name, done: 0, total }
      status.phase = phase
      return {
        step() {
          phase.done += 1
          if (name === 'verify') status.checked += 1
        },
        end() {
          const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
          display.print(`${phaseText(phase)} in ${seconds} s`)
          status.phase = null
        },
      }
    },
  }
}
