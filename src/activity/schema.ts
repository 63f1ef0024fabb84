import { z } from 'zod'
import { pageOf } from '../http/pages.ts'
import { Count, Time } from '../http/wire-types.ts'

/** Attempts that were refused: {@link recordFailure} of record-failure.ts writes them. */
export const failureEvents = ['login-failed', 'confirm-failed', 'second-factor-failed', 'passkey-cloned'] as const

export type FailureEvent = (typeof failureEvents)[number]

const ActivityEvent = z.enum([
  'account-created',
  'login',
  ...failureEvents,
  'logout',
  'refresh-reused',
  'session-revoked',
  'session-confirmed',
  'password-changed',
  'passkey-added',
  'passkey-removed',
  'totp-enrolled',
  'totp-removed',
  'recovery-code-used',
  'recovery-codes-replaced',
  'factors-reset',
  'exported',
  'suspended',
  'email-change-requested',
  'email-changed',
  'email-removed',
  'password-reset-requested',
  'password-reset',
])

export type ActivityEvent = z.infer<typeof ActivityEvent>

/** Those that are written in the transaction of what they record. */
export type TransactedEvent = Exclude<ActivityEvent, FailureEvent>

const ActivityView = z
  .object({
    at: Time,
    event: ActivityEvent,
    ip: z.string().meta({ examples: ['203.0.113.7'] }),
    userAgent: z.string().meta({ examples: ['curl/8.14.1'] }),
    count: Count.optional().describe(
      'How often it happened in a row, from this address and user agent; `at` is the last time.',
    ),
  })
  .meta({ id: 'Activity' })

export const ActivityPage = pageOf(ActivityView)
  .extend({ lastLoginAt: Time, lastRequestAt: Time })
  .meta({ id: 'ActivityPage' })
