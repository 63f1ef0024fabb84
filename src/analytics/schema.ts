import { z } from 'zod'
import { Count } from '../http/wire-types.ts'
import { dayMs } from './daily-counts.ts'

const maxDays = 366

const CalendarDay = z.iso.date('Must be a date such as 2026-11-26.')

export const startOfDay = (date: string): Date => new Date(`${date}T00:00:00Z`)

const countDays = (from: string, to: string) => (startOfDay(to).getTime() - startOfDay(from).getTime()) / dayMs + 1

// The refinements run even if a date is invalid: a comparison with NaN is false.
export const DaysQuery = z
  .strictObject({
    from: CalendarDay.meta({ description: 'The first day, in UTC.', examples: ['2026-11-01'] }),
    to: CalendarDay.meta({ description: 'The last day, in UTC; at most 366 days in all.', examples: ['2026-11-30'] }),
  })
  .refine(({ from, to }) => !(countDays(from, to) < 1), { path: ['to'], error: 'Must not be before from.' })
  .refine(({ from, to }) => !(countDays(from, to) > maxDays), {
    path: ['to'],
    error: `Must be at most ${maxDays - 1} days after from.`,
  })

const sums = { likes: Count, dislikes: Count }

export const DaysView = z
  .object({
    items: z.array(z.object({ date: z.iso.date(), ...sums })),
    total: z.object(sums),
  })
  .meta({ id: 'ReactionCounts' })
