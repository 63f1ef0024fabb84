import type { QueueTicket } from '../http/deadline.ts'
import { overloaded } from '../http/problems.ts'

/** Runs a task when a core is free; refuses with 503 when too many wait, and drops what its client no longer wants. */
export type HashQueue = <T>(task: () => Promise<T>, turn: QueueTicket) => Promise<T>

type Waiting = { start(): void; refuse(): void }

/**
 * Bounds the costliest thing a stranger can ask for. Those who wait are served in turn, one task each (fair queueing,
 * Nagle, RFC 970); when too many wait, whoever waits with most loses the last. A task that runs is let finish, whoever
 * hung up: bcrypt cannot be stopped, and giving its place away would run more of them than there are cores.
 *
 * @param running - how many tasks run at a time.
 * @param waiting - how many wait for their turn before one is refused.
 */
export function hashQueue({ running, waiting }: { running: number; waiting: number }): HashQueue {
  // By who waits, in the order of their turns.
  const queues = new Map<string, Waiting[]>()
  let active = 0
  let count = 0

  function remove(who: string, one: Waiting | undefined): void {
    const queue = queues.get(who)
    if (!queue || !one) return
    queue.splice(queue.indexOf(one), 1)
    count -= 1
    if (queue.length === 0) queues.delete(who)
  }

  /** Whose turn it is gives up the place in front. */
  function next(): void {
    const [first] = queues
    if (!first) return
    const [who, queue] = first
    const [one] = queue
    remove(who, one)
    if (queues.delete(who)) queues.set(who, queue)
    one?.start()
  }

  /** Whether there is room for one more; if need be, of whoever waits with more than that. */
  function makeRoom(who: string): boolean {
    if (count < waiting) return true
    const [most, longest] = [...queues].reduce((one, other) => (other[1].length > one[1].length ? other : one))
    if (longest.length <= (queues.get(who)?.length ?? 0) + 1) return false
    const last = longest.at(-1)
    remove(most, last)
    last?.refuse()
    return true
  }

  const wait = ({ signal, who }: QueueTicket) =>
    new Promise<void>((resolve, reject) => {
      const settle = (outcome: () => void) => {
        signal.removeEventListener('abort', leave)
        outcome()
      }
      const start = () => {
        active += 1
        settle(resolve)
      }
      const one: Waiting = { start, refuse: () => settle(() => reject(overloaded('passwords'))) }
      const leave = () => {
        remove(who, one)
        reject(signal.reason)
      }
      if (active < running) return start()
      if (!makeRoom(who)) return one.refuse()
      const queue = queues.get(who)
      if (queue) queue.push(one)
      else queues.set(who, [one])
      count += 1
      signal.addEventListener('abort', leave, { once: true })
    })

  return async (task, turn) => {
    turn.signal.throwIfAborted()
    await wait(turn)
    try {
      const result = await task()
      // What was found out for somebody who is no longer there must not be acted upon.
      turn.signal.throwIfAborted()
      return result
    } finally {
      active -= 1
      next()
    }
  }
}
