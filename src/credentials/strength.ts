import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** How many guesses a password withstands by zxcvbn's estimate; undefined when it took too long to tell. */
export type StrengthEstimator = { guesses(password: string): Promise<number | undefined>; close(): Promise<void> }

type Estimating = { thread: Worker; ready: Promise<unknown> }

/** Ready once it has its dictionaries: on a busy machine they take seconds, which says nothing about a password. */
function startWorker(): Estimating {
  const thread = new Worker(new URL('./strength-worker.ts', import.meta.url))
  const ended = once(thread, 'exit').then(() => Promise.reject(new Error('the estimator of strength was closed')))
  return { thread, ready: Promise.race([once(thread, 'message'), ended]) }
}

/**
 * zxcvbn in a thread of its own: a long password of look-alike characters takes it more than a second, which the
 * event loop does not have. Estimates are made one after the other.
 * @param patience - the longest that one may take, in milliseconds.
 */
export function strengthEstimator(patience = 3_000): StrengthEstimator {
  let worker: Estimating | undefined
  let last: Promise<unknown> = Promise.resolve()

  const estimate = async (password: string) => {
    worker ??= startWorker()
    const { thread, ready } = worker
    const forget = (error: unknown) => {
      worker = undefined
      throw error
    }
    await ready.catch(forget)
    return new Promise<number | undefined>((resolve, reject) => {
      const settle = (outcome: () => void) => {
        clearTimeout(timer)
        thread.off('message', judged)
        thread.off('error', failed)
        outcome()
      }
      const judged = (guesses: number) => settle(() => resolve(guesses))
      const failed = (error: unknown) => settle(() => reject(error))
      const timer = setTimeout(() => {
        worker = undefined
        void thread.terminate()
        settle(() => resolve(undefined))
      }, patience)
      thread.on('message', judged)
      thread.on('error', failed)
      thread.postMessage(password)
    }).catch(forget)
  }

  return {
    guesses: (password) => {
      const result = last.then(() => estimate(password))
      last = result.catch(() => undefined)
      return result
    },
    close: async () => void (await worker?.thread.terminate()),
  }
}
