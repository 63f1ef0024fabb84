import { overloaded } from '../http/problems.ts'
import { type FairQueue, fairQueue } from './fair-queue.ts'

const maxWaiting = 100
/** Of a request's 5 s (http/deadline.ts): what starts later would often be in vain. */
const maxWaitMs = 2_000

/**
 * Bounds the reads of one kind that a process sends to MongoDB concurrently: the others need connections, too. The keys
 * are accounts, which take turns.
 * @throws Problem `overloaded` after 2 s, or when 100 reads wait and this account has the most of them
 */
export const readQueue = (maxRunning: number): FairQueue =>
  fairQueue({ maxRunning, maxWaiting, maxWaitMs }, () => overloaded('reads'))
