import { setTimeout as sleep } from 'node:timers/promises'
import { type ArrivalPlan, dueAt } from './arrivals.ts'

/**
 * The open model of a crowd: each request of the robots is an arrival. Resolves when the next one is due, at once if it is
 * overdue, to the time at which it was due.
 */
export function paceOf(
  plan: ArrivalPlan,
  now: () => number = () => performance.now(),
  wait: (ms: number) => Promise<unknown> = sleep,
): () => Promise<number> {
  const startedAt = now()
  let count = 0
  return async () => {
    const due = startedAt + dueAt(plan, count)
    count += 1
    if (due > now()) await wait(due - now())
    return due
  }
}
