import type { QueueTicket } from '../http/deadline.ts'
import { overloaded } from '../http/problems.ts'

/** @throws Problem `overloaded` when the queue is full; the abort reason of the ticket */
export type HashQueue = <T>(task: () => Promise<T>, ticket: QueueTicket) => Promise<T>

type Waiter = { start(): void; refuse(): void }

/**
 * Bounds the costliest work that an anonymous client can cause. Addresses take turns, one task each (fair queueing, Nagle,
 * RFC 970); a full queue evicts the last task of the busiest address. A running task keeps its slot when its client
 * disconnects: bcrypt cannot be stopped, and there would be more hashes than cores.
 */
export function hashQueue({ maxRunning, maxWaiting }: { maxRunning: number; maxWaiting: number }): HashQueue {
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

  function startNext(): void {
    const [first] = queues
    if (!first) return
    const [address, queue] = first
    const [waiter] = queue
    remove(address, waiter)
    if (queues.delete(address)) queues.set(address, queue)
    waiter?.start()
  }

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
