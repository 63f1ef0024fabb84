import { overloaded } from '../http/problems.ts'
import { type FairQueue, fairQueue } from './fair-queue.ts'

const maxWaiting = 100
/** Of a request's 5 s (http/deadline.ts): what starts later would often be in vain. */
const maxWaitMs = 2_000

/** Bounds reads of one kind: others need connections, too. Keys are accounts, groups their networks. @throws Problem `overloaded` */
export const readQueue = (maxRunning: number): FairQueue =>
  fairQueue({ maxRunning, maxWaiting, maxWaitMs }, () => overloaded('reads'))
