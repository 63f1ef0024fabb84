import type { QueueTicket } from '../http/deadline.ts'
import { overloaded } from '../http/problems.ts'

/**
 * Runs a task when a slot is free.
 * @throws Problem `overloaded` when the queue is full; the ticket's reason when the ticket is aborted.
 */
export type HashQueue = <T>(task: () => Promise<T>, ticket: QueueTicket) => Promise<T>

type Waiter = { start(): void; refuse(): void }

/**
 * Bounds the costliest work that an anonymous client can cause. Addresses take turns, one task each (fair queueing,
 * Nagle, RFC 970); when the queue is full, the address with the most waiting tasks loses its last one. A running task
 * keeps its slot even if its client hangs up: bcrypt cannot be stopped, and releasing the slot would run more hashes
 * than there are cores.
 *
 * @param running - the maximum number of concurrent tasks.
 * @param waiting - the maximum number of waiting tasks.
 */
export function hashQueue({
  running: maxRunning,
  waiting: maxWaiting,
}: {
  running: number
  waiting: number
}): HashQueue {
  /** By address, in the order in which the addresses take turns. */
  const queues = new Map<string, Waiter[]>()
  let running = 0
  let waiting = 0

  function remove(address: string, waiter: Waiter | undefined): void {
    const queue = queues.get(address)
    if (!queue || !waiter) return
    queue.splice(queue.indexOf(waiter), 1)
    waiting -= 1
    if (queue.length === 0) queues.delete(address)
  }

  /** Starts the first waiter of the next address, and moves that address to the end. */
  function startNext(): void {
    const [first] = queues
    if (!first) return
    const [address, queue] = first
    const [waiter] = queue
    remove(address, waiter)
    if (queues.delete(address)) queues.set(address, queue)
    waiter?.start()
  }

  /** Whether the address may queue one more task, if need be by evicting one of an address with more than that. */
  function makeRoom(address: string): boolean {
    if (waiting < maxWaiting) return true
    const [busiest, longest] = [...queues].reduce((a, b) => (b[1].length > a[1].length ? b : a))
    if (longest.length <= (queues.get(address)?.length ?? 0) + 1) return false
    const last = longest.at(-1)
    remove(busiest, last)
    last?.refuse()
    return true
  }

  const waitForSlot = ({ signal, address }: QueueTicket) =>
    new Promise<void>((resolve, reject) => {
      const settle = (outcome: () => void) => {
        signal.removeEventListener('abort', leave)
        outcome()
      }
      const start = () => {
        running += 1
        settle(resolve)
      }
      const waiter: Waiter = { start, refuse: () => settle(() => reject(overloaded('passwords'))) }
      const leave = () => {
        remove(address, waiter)
        reject(signal.reason)
      }
      if (running < maxRunning) return start()
      if (!makeRoom(address)) return waiter.refuse()
      const queue = queues.get(address)
      if (queue) queue.push(waiter)
      else queues.set(address, [waiter])
      waiting += 1
      signal.addEventListener('abort', leave, { once: true })
    })

  return async (task, ticket) => {
    ticket.signal.throwIfAborted()
    await waitForSlot(ticket)
    try {
      const result = await task()
      // The result of an abandoned request must not take effect.
      ticket.signal.throwIfAborted()
      return result
    } finally {
      running -= 1
      startNext()
    }
  }
}
