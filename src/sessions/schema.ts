import { z } from 'zod'
import { AccountView } from '../accounts/schema.ts'
import { PresentedPassword } from '../credentials/policy.ts'
import { characterCount } from '../http/text.ts'
import { Id, Time } from '../http/wire-types.ts'

export const SessionView = z
  .object({
    id: Id,
    current: z.boolean(),
    createdAt: Time,
    lastSeenAt: Time,
    expiresAt: Time,
    confirmedUntil: Time.nullable(),
    ip: z.string(),
    userAgent: z.string(),
  })
  .meta({ id: 'Session' })

export const LoggedIn = z.object({ account: AccountView, session: SessionView })

export const LoginBody = z.strictObject({
  username: z
    .string()
    .refine((name) => characterCount(name) <= 256, 'Must have at most 256 characters.')
    .meta({ maxLength: 256 }),
  password: PresentedPassword,
})

export const ConfirmBody = z.strictObject({ password: PresentedPassword })

export const SessionParams = z.object({ id: Id })
