import { firstIdOf } from '../database/ids.ts'
import { dayMs } from './daily-counts.ts'

/**
 * An aggregation expression for the UTC day, as a Date, of a UUIDv7. MongoDB 6 cannot extract bytes from a UUID, only
 * compare it, so the expression is a binary search: nine comparisons for a year.
 * @param field - the path of the UUID, such as `$order`. Ids outside the range get the first or the last day.
 * @param to - the last day, inclusive.
 */
export function dayExpression(field: string, from: Date, to: Date): object | Date {
  const count = Math.floor((to.getTime() - from.getTime()) / dayMs) + 1
  if (count <= 1) return { $literal: from }
  const middle = new Date(from.getTime() + (count >> 1) * dayMs)
  return {
    $cond: [
      { $lt: [field, { $literal: firstIdOf(middle) }] },
      dayExpression(field, from, new Date(middle.getTime() - dayMs)),
      dayExpression(field, middle, to),
    ],
  }
}
