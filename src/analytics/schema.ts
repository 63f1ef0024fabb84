import { z } from 'zod'
import { Count } from '../http/wire-types.ts'
import { day } from './daily-counts.ts'

const mostDays = 366

/** A day of the calendar, in UTC. */
const CalendarDay = z.iso.date('must be a date such as 2026-11-26')

/** When a day of the calendar begins. */
export const beginningOf = (date: string): Date => new Date(`${date}T00:00:00Z`)

const daysFrom = (from: string, to: string) => (beginningOf(to).getTime() - beginningOf(from).getTime()) / day + 1

// They are checked even if one of them is no date: what is not a number is neither too small nor too large.
export const DaysQuery = z
  .strictObject({ from: CalendarDay, to: CalendarDay })
  .refine(({ from, to }) => !(daysFrom(from, to) < 1), { path: ['to'], error: 'must not be before from' })
  .refine(({ from, to }) => !(daysFrom(from, to) > mostDays), {
    path: ['to'],
    error: `must be at most ${mostDays} days from from, both counted`,
  })

const sums = { likes: Count, dislikes: Count }

export const DaysView = z.object({
  items: z.array(z.object({ date: z.iso.date(), ...sums })),
  total: z.object(sums),
})
