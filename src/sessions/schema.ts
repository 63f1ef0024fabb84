import { z } from 'zod'
import { AccountView, examplePassword, exampleUsername } from '../accounts/schema.ts'
import { PresentedPassword } from '../credentials/policy.ts'
import { pageOf } from '../http/pages.ts'
import { hasMoreThan } from '../http/text.ts'
import { Id, Time } from '../http/wire-types.ts'
import { AuthenticationResponse } from '../passkeys/browser-responses.ts'
import { factorMembers, isOneFactor } from '../second-factor/schema.ts'

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

/** Whatever is typed, so that a wrong one is no fault of the request. */
export const PresentedUsername = z
  .string()
  .refine((name) => !hasMoreThan(256, name), 'Must have at most 256 characters.')
  .meta({ maxLength: 256 })

export const LoginBody = z
  .strictObject({
    username: PresentedUsername,
    password: PresentedPassword,
  })
  .meta({ examples: [{ username: exampleUsername, password: examplePassword }] })

/** Not a union of objects: to generated clients, that would be a class for each. */
export const ConfirmBody = z
  .strictObject({
    password: PresentedPassword.optional(),
    passkey: AuthenticationResponse.optional(),
    ...factorMembers,
  })
  .refine(({ password, passkey }) => password !== undefined || passkey !== undefined, {
    path: ['password'],
    error: 'Must be present, or else passkey.',
  })
  .refine(({ password, passkey }) => password === undefined || passkey === undefined, {
    path: ['passkey'],
    error: 'Must not be present beside password.',
  })
  .refine(isOneFactor, 'Must not have both code and recoveryCode.')
  .meta({ minProperties: 1, examples: [{ password: examplePassword }] })

export const LogoutQuery = z.strictObject({
  everywhere: z
    .enum(['true', 'false'])
    .optional()
    .describe(
      'Whether to end all sessions of the account and the trust of its devices, which needs a live access token.',
    ),
})

export const SessionParams = z.object({ id: Id })
