import { firstIdOf } from '../database/ids.ts'
import { dayMs } from './daily-counts.ts'

/**
 * The UTC day of a UUIDv7, as a binary search: MongoDB 6 can compare UUIDs, but not extract their bytes.
 * @param field - a path such as `$order`. Ids outside the range get the first or the last day.
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
