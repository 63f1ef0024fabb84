import { overloaded } from '../http/problems.ts'
import { type FairQueue, fairQueue, type QueueBounds } from '../limits/fair-queue.ts'

/** A disconnected client's hash keeps its slot until it ends: bcrypt cannot be stopped. */
export const passwordQueue = (bounds: QueueBounds): FairQueue =>
  fairQueue(bounds, (seconds) => overloaded('passwords', seconds))
