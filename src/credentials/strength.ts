import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

export type StrengthEstimator = {
  /** Loads the dictionaries before the first estimate, which would wait for them. */
  warm(): void
  /** How many guesses a password withstands by zxcvbn's estimate; undefined when it took too long to tell. */
  guesses(password: string): Promise<number | undefined>
  close(): Promise<void>
}

type Estimating = { thread: Worker; ready: Promise<unknown> }

/** Ready once it has its dictionaries: on a busy machine they take seconds, which says nothing about a password. */
function startWorker(): Estimating {
  const thread = new Worker(new URL('./strength-worker.ts', import.meta.url))
  const ended = once(thread, 'exit').then(() => Promise.reject(new Error('the estimator of strength was closed')))
  const ready = Promise.race([once(thread, 'message'), ended])
  // Each estimate that waits for it hears of its failure; a thread that was only warmed has no other listener.
  ready.catch(() => undefined)
  thread.unref()
  return { thread, ready }
}

/**
 * zxcvbn in a thread of its own: a long password of look-alike characters takes it more than a second, which the
 * event loop does not have. Estimates are made one after the other; between them the thread keeps no process alive.
 * @param patience - the longest that one may take, in milliseconds, unless the machine is so busy that this process had
 * less than half of a core in that time.
 */
export function strengthEstimator(patience = 3_000): StrengthEstimator {
  let worker: Estimating | undefined
  let last: Promise<unknown> = Promise.resolve()

  const estimate = async (password: string) => {
    worker ??= startWorker()
    const { thread, ready } = worker
    thread.ref()
    const forget = (error: unknown) => {
      worker = undefined
      throw error
    }
    await ready.catch(forget)
    return new Promise<number | undefined>((resolve, reject) => {
      const settle = (outcome: () => void) => {
        clearInterval(timer)
        thread.off('message', judged)
        thread.off('error', failed)
        outcome()
      }
      const judged = (guesses: number) => settle(() => resolve(guesses))
      const failed = (error: unknown) => settle(() => reject(error))
      const begun = process.cpuUsage()
      const timer = setInterval(() => {
        const { user, system } = process.cpuUsage(begun)
        if ((user + system) / 1_000 < patience / 2) return
        worker = undefined
        void thread.terminate()
        settle(() => resolve(undefined))
      }, patience)
      thread.on('message', judged)
      thread.on('error', failed)
      thread.postMessage(password)
    })
      .catch(forget)
      .finally(() => thread.unref())
  }

  return {
    warm: () => {
      worker ??= startWorker()
    },
    guesses: (password) => {
      const result = last.then(() => estimate(password))
      last = result.catch(() => undefined)
      return result
    },
    close: async () => void (await worker?.thread.terminate()),
  }
}

/**
 * The estimator of this process: the dictionaries take a core most of a second and tens of megabytes, so all apps share
 * one. It is never closed, since no app knows of the others.
 */
export const sharedEstimator = strengthEstimator()
