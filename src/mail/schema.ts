import { z } from 'zod'
import { examplePassword, exampleUsername } from '../accounts/schema.ts'
import { newPassword } from '../credentials/policy.ts'
import { hasMoreThan } from '../http/text.ts'
import { Time } from '../http/wire-types.ts'
import { EmailAddress } from './address.ts'

export const EmailView = z
  .object({
    email: z.string().nullable().describe('The verified address.'),
    verifiedAt: Time.nullable(),
    pending: z.string().nullable().describe('A new address whose link has not been used.'),
  })
  .meta({ id: 'Email' })

export const EmailBody = z.strictObject({ email: EmailAddress }).meta({ examples: [{ email: 'ann@mail.example' }] })

/** Any other fault makes it a wrong token, not an invalid request. */
const LinkToken = z
  .string()
  .max(256, 'Must have at most 256 characters.')
  .describe('What follows = in the fragment of the link.')

const exampleToken = 'AZrdp3TheJ0qXvK9pW1mZ2bUu5k3hYc8Rr6tNsLqOwE'

export const VerificationBody = z.strictObject({ token: LinkToken }).meta({ examples: [{ token: exampleToken }] })

export const ResetRequestBody = z
  .strictObject({
    username: z
      .string()
      .refine((name) => !hasMoreThan(256, name), 'Must have at most 256 characters.')
      .meta({ maxLength: 256 }),
  })
  .meta({ examples: [{ username: exampleUsername }] })

/** @param minLength - of the password, in characters */
export const resetBody = (minLength: number) =>
  z
    .strictObject({ token: LinkToken, newPassword: newPassword(minLength) })
    .meta({ examples: [{ token: exampleToken, newPassword: `${examplePassword} at dawn` }] })
