import { silenceMeter } from '../silence-meter.ts'
import type { WorkerHandle } from './worker-handle.ts'

/** How often a worker tells the primary that its event loop runs. */
export const signOfLifeMs = 500
/** Loading the modules blocks the event loop, for seconds when many workers start at once. */
const startLimitMs = 60_000
const minLimitMs = 2_000
const maxLimitMs = 16_000

/** Each kill doubles the time that the next worker gets: a machine with too little CPU must not lose every replacement. */
const limitMsAfter = (kills: number): number => Math.min(minLimitMs * 2 ** kills, maxLimitMs)

/** Kills a worker whose event loop has stopped: by SIGSTOP, in an endless loop, or swapped out. */
export function watchWorker(
  worker: Pick<WorkerHandle, 'kill' | 'onSign' | 'ready'>,
  { kills, onSilent }: { kills: number; onSilent: (silentMs: number) => void },
) {
  let limitMs = startLimitMs
  let isSilent = false
  const meter = silenceMeter(() => {
    if (meter.silentMs() < limitMs) return
    isSilent = true
    meter.close()
    onSilent(meter.silentMs())
    worker.kill()
  })
  worker.onSign(meter.reset)
  worker.ready.then(
    () => {
      limitMs = limitMsAfter(kills)
    },
    () => undefined,
  )
  return {
    silentMs: meter.silentMs,
    /** Whether the worker was killed for its silence. */
    isSilent: () => isSilent,
    close: meter.close,
  }
}
