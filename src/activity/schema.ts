import { z } from 'zod'
import { pageOf } from '../http/pages.ts'
import { Count, Time } from '../http/wire-types.ts'

const ActivityEvent = z.enum([
  'account-created',
  'login',
  'login-failed',
  'logout',
  'refresh-reused',
  'session-revoked',
  'session-confirmed',
  'password-changed',
  'exported',
  'suspended',
])

export type ActivityEvent = z.infer<typeof ActivityEvent>

const ActivityView = z
  .object({
    at: Time,
    event: ActivityEvent,
    ip: z.string(),
    userAgent: z.string(),
    count: Count.optional().describe('The number of failed logins from this address within the hour.'),
  })
  .meta({ id: 'Activity' })

export const ActivityPage = pageOf(ActivityView).extend({ lastLoginAt: Time, lastRequestAt: Time })
