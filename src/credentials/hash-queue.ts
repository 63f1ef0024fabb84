import type { QueueTicket } from '../http/deadline.ts'
import { overloaded } from '../http/problems.ts'
import { fairQueue, type QueueBounds } from '../limits/fair-queue.ts'

/** @throws Problem `overloaded` when the queue is full; the abort reason of the ticket */
export type HashQueue = <T>(task: () => Promise<T>, ticket: QueueTicket) => Promise<T>

/** Addresses take turns. A disconnected client's hash keeps its slot until it ends: bcrypt cannot be stopped. */
export function hashQueue(bounds: QueueBounds): HashQueue {
  const queue = fairQueue(bounds, () => overloaded('passwords'))
  return (task, { signal, address }) => queue(task, { signal, key: address })
}
