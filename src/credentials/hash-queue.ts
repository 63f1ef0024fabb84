import { overloaded } from '../http/problems.ts'

/** Runs a task when a core is free; refuses with 503 when too many wait, and drops what its client no longer wants. */
export type HashQueue = <T>(task: () => Promise<T>, signal: AbortSignal) => Promise<T>

/**
 * Bounds the costliest thing a stranger can ask for. A task that runs is let finish, whoever hung up: bcrypt cannot be
 * stopped, and giving its place away would run more of them than there are cores.
 *
 * @param running - how many tasks run at a time.
 * @param waiting - how many wait for their turn before the next is refused.
 */
export function hashQueue({ running, waiting }: { running: number; waiting: number }): HashQueue {
  const queue: (() => void)[] = []
  let active = 0

  const turn = (signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const start = () => {
        signal.removeEventListener('abort', leave)
        active += 1
        resolve()
      }
      const leave = () => {
        queue.splice(queue.indexOf(start), 1)
        reject(signal.reason)
      }
      if (active < running) return start()
      queue.push(start)
      signal.addEventListener('abort', leave, { once: true })
    })

  return async (task, signal) => {
    signal.throwIfAborted()
    if (active >= running && queue.length >= waiting) {
      throw overloaded('passwords')
    }
    await turn(signal)
    try {
      const result = await task()
      // What was found out for somebody who is no longer there must not be acted upon.
      signal.throwIfAborted()
      return result
    } finally {
      active -= 1
      queue.shift()?.()
    }
  }
}
