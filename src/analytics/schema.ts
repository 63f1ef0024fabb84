import { z } from 'zod'
import { Count } from '../http/wire-types.ts'
import { day } from './daily-counts.ts'

const maxDays = 366

const CalendarDay = z.iso.date('must be a date such as 2026-11-26')

/** When a calendar date begins in UTC. */
export const startOfDay = (date: string): Date => new Date(`${date}T00:00:00Z`)

const daysFrom = (from: string, to: string) => (startOfDay(to).getTime() - startOfDay(from).getTime()) / day + 1

// The refinements run even if a date is invalid: a comparison with NaN is false.
export const DaysQuery = z
  .strictObject({ from: CalendarDay, to: CalendarDay })
  .refine(({ from, to }) => !(daysFrom(from, to) < 1), { path: ['to'], error: 'must not be before from' })
  .refine(({ from, to }) => !(daysFrom(from, to) > maxDays), {
    path: ['to'],
    error: `must be at most ${maxDays} days from from, both counted`,
  })

const sums = { likes: Count, dislikes: Count }

export const DaysView = z.object({
  items: z.array(z.object({ date: z.iso.date(), ...sums })),
  total: z.object(sums),
})
