import { z } from 'zod'
import { AccountView, examplePassword, exampleUsername } from '../accounts/schema.ts'
import { PresentedPassword } from '../credentials/policy.ts'
import { pageOf } from '../http/pages.ts'
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
    ip: z.string().meta({ examples: ['203.0.113.7'] }),
    userAgent: z.string().meta({ examples: ['curl/8.14.1'] }),
  })
  .meta({ id: 'Session' })

export const SessionPage = pageOf(SessionView).meta({ id: 'SessionPage' })

export const LoggedIn = z.object({ account: AccountView, session: SessionView }).meta({ id: 'LoggedIn' })

export const LoginBody = z
  .strictObject({
    username: z
      .string()
      .refine((name) => characterCount(name) <= 256, 'Must have at most 256 characters.')
      .meta({ maxLength: 256 }),
    password: PresentedPassword,
  })
  .meta({ examples: [{ username: exampleUsername, password: examplePassword }] })

export const ConfirmBody = z
  .strictObject({ password: PresentedPassword })
  .meta({ examples: [{ password: examplePassword }] })

export const SessionParams = z.object({ id: Id })
