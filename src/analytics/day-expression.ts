import { firstIdOf } from '../database/ids.ts'
import { day } from './daily-counts.ts'

/**
 * An expression of MongoDB that tells the day, as a Date, of a UUIDv7 between two days. MongoDB 6 cannot take a UUID
 * apart, but compare it: so it looks for the day by halving, nine comparisons for a year.
 * @param field - where the UUID stands, `$order`. What is out of the range counts for its first or last day.
 * @param to - the last day.
 */
export function dayExpression(field: string, from: Date, to: Date): object | Date {
  const count = Math.floor((to.getTime() - from.getTime()) / day) + 1
  if (count <= 1) return { $literal: from }
  const middle = new Date(from.getTime() + (count >> 1) * day)
  return {
    $cond: [
      { $lt: [field, { $literal: firstIdOf(middle) }] },
      dayExpression(field, from, new Date(middle.getTime() - day)),
      dayExpression(field, middle, to),
    ],
  }
}
