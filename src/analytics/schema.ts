import { z } from 'zod'
import { Count } from '../http/values.ts'
import { day } from './document.ts'

const mostDays = 366

/** A day of the calendar, in UTC. */
const CalendarDay = z.iso.date('must be a date such as 2026-11-26').transform((text) => new Date(`${text}T00:00:00Z`))

const daysBetween = (from: Date, to: Date) => (to.getTime() - from.getTime()) / day + 1

export const DaysQuery = z.strictObject({ from: CalendarDay, to: CalendarDay }).superRefine(({ from, to }, context) => {
  const refuse = (message: string) => context.addIssue({ code: 'custom', path: ['to'], message })
  if (to < from) refuse('must not be before from')
  else if (daysBetween(from, to) > mostDays) refuse(`must be at most ${mostDays} days from from, both counted`)
})

const sums = { likes: Count, dislikes: Count }

export const DaysView = z.object({
  items: z.array(z.object({ date: z.iso.date(), ...sums })),
  total: z.object(sums),
})
