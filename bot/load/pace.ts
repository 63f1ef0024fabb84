import { setTimeout as sleep } from 'node:timers/promises'
import { type ArrivalPlan, dueAt } from './arrivals.ts'

/**
 * The open model of a crowd: each request of the robots is an arrival. Resolves when the next one is due, at once if it is
 * overdue, to the time at which it was due. `onArrival` gets that time and when it began: an arrival for which no robot was
 * free began on time, and waited.
 */
export function paceOf(
  plan: ArrivalPlan,
  onArrival: (due: number, beganAt: number) => void = () => {},
  now: () => number = () => performance.now(),
  wait: (ms: number) => Promise<unknown> = sleep,
): () => Promise<number> {
  const startedAt = now()
  let count = 0
  return async () => {
    const due = startedAt + dueAt(plan, count)
    count += 1
    const isOverdue = due <= now()
    if (!isOverdue) await wait(due - now())
    onArrival(due, isOverdue ? due : Math.max(due, now()))
    return due
  }
}
