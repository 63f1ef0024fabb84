import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

export type StrengthEstimator = {
  warm(): void
  /** zxcvbn's estimate of the number of guesses that a password withstands; undefined after a timeout. */
  guesses(password: string): Promise<number | undefined>
  close(): Promise<void>
}

type StrengthWorker = { thread: Worker; ready: Promise<unknown> }

/** `ready` resolves when the dictionaries are loaded: on a busy machine that takes seconds, which must not time out. */
function startWorker(workerData: { maxSubstitutions: number }): StrengthWorker {
  const thread = new Worker(new URL('./strength-worker.ts', import.meta.url), { workerData })
  const exited = once(thread, 'exit').then(() => Promise.reject(new Error('the strength estimator was closed')))
  const ready = Promise.race([once(thread, 'message'), exited])
  // Each estimate awaits `ready` itself; after warm() alone, a failure would be an unhandled rejection.
  ready.catch(() => undefined)
  thread.unref()
  return { thread, ready }
}

const maxTimeouts = 5

/** Ways to read look-alike characters as letters: with zxcvbn's own 100, an estimate takes ten times as long. */
const defaultSubstitutions = 10

/**
 * In a worker thread: a long password of look-alike characters takes a tenth of a second. An idle thread does not keep the
 * process alive.
 * @param timeoutMs - for each estimate; up to five times as long while this process gets less than half a core
 */
export function strengthEstimator(timeoutMs = 3_000, maxSubstitutions = defaultSubstitutions): StrengthEstimator {
  let worker: StrengthWorker | undefined
  let last: Promise<unknown> = Promise.resolve()

  function start(): StrengthWorker {
    const started = startWorker({ maxSubstitutions })
    worker = started
    started.thread.once('exit', () => {
      if (worker === started) worker = undefined
    })
    return started
  }

  const estimate = async (password: string) => {
    const { thread, ready } = worker ?? start()
    thread.ref()
    const discardWorker = (error: unknown) => {
      worker = undefined
      throw error
    }
    await ready.catch(discardWorker)
    const deadline = performance.now() + maxTimeouts * timeoutMs
    return new Promise<number | undefined>((resolve, reject) => {
      const settle = (outcome: () => void) => {
        clearInterval(timer)
        thread.off('message', onEstimate)
        thread.off('error', onError)
        thread.off('exit', onExit)
        outcome()
      }
      const onEstimate = (guesses: number) => settle(() => resolve(guesses))
      const onError = (error: unknown) => settle(() => reject(error))
      const onExit = () => onError(new Error('the strength estimator was closed'))
      const startUsage = process.cpuUsage()
      const timer = setInterval(() => {
        const { user, system } = process.cpuUsage(startUsage)
        if ((user + system) / 1_000 < timeoutMs / 2 && performance.now() < deadline) return
        worker = undefined
        void thread.terminate()
        settle(() => resolve(undefined))
      }, timeoutMs)
      thread.on('message', onEstimate)
      thread.on('error', onError)
      thread.on('exit', onExit)
      thread.postMessage(password)
    })
      .catch(discardWorker)
      .finally(() => thread.unref())
  }

  return {
    warm: () => {
      if (!worker) start()
    },
    guesses: (password) => {
      const result = last.then(() => estimate(password))
      last = result.catch(() => undefined)
      return result
    },
    close: async () => void (await worker?.thread.terminate()),
  }
}

/** Shared, because the dictionaries take most of a second of CPU and tens of megabytes; so no app may close it. */
export const sharedEstimator = strengthEstimator()
