import { overloaded } from '../http/problems.ts'
import { type FairQueue, fairQueue, type QueueBounds } from '../limits/fair-queue.ts'

/** Addresses take turns. A disconnected client's hash keeps its slot until it ends: bcrypt cannot be stopped. */
export const hashQueue = (bounds: QueueBounds): FairQueue => fairQueue(bounds, () => overloaded('passwords'))
