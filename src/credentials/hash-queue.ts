import type { QueueTicket } from '../http/deadline.ts'
import { overloaded } from '../http/problems.ts'
import { fairQueue, type QueueBounds } from '../limits/fair-queue.ts'

/** @throws Problem `overloaded` when the queue is full; the abort reason of the ticket */
export type HashQueue = <T>(task: () => Promise<T>, ticket: QueueTicket) => Promise<T>

/**
 * Bounds the costliest work that an anonymous client can cause; addresses take turns. A disconnected client's hash keeps
 * its slot: bcrypt cannot be stopped, and there would be more hashes than cores.
 */
export function hashQueue(bounds: QueueBounds): HashQueue {
  const queue = fairQueue(bounds, () => overloaded('passwords'))
  return (task, { signal, address }) => queue(task, { signal, key: address })
}
