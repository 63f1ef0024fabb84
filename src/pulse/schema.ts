import { z } from 'zod'
import { Count, Time } from '../http/wire-types.ts'

const Counts = z.object({
  requests: Count,
  errors: Count.describe('Of the requests: those answered with 5xx.'),
  posts: Count.describe('Posts and replies created.'),
  reactions: Count.describe('Reactions set or withdrawn.'),
  p95Ms: z.number().nonnegative().nullable().describe('95% of the requests were answered within this time.'),
})

export const PulseView = z
  .object({
    items: z.array(Counts.extend({ at: Time })).describe('The last 60 complete seconds, the oldest first.'),
    total: Counts.describe('All of them together.'),
  })
  .meta({ id: 'Pulse' })
