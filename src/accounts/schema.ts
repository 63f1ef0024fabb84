import { z } from 'zod'
import { newPassword, PresentedPassword } from '../credentials/policy.ts'
import { pageOf } from '../http/pages.ts'
import { name, text } from '../http/text.ts'
import { Count, Id, Time } from '../http/wire-types.ts'

export const exampleUsername = 'robin_example'
/** The page at /docs replaces it: a published password must not open an account. */
export const examplePassword = 'four quiet herons guard a tin bridge'

export const Username = z
  .string()
  .regex(/^[A-Za-z0-9_]{3,30}$/, 'Must be 3 to 30 characters of A–Z, a–z, 0–9 and _.')
  .meta({ description: 'Shown as typed, and found whatever its case.', examples: [exampleUsername] })

const DisplayName = name({ max: 50 })
const Bio = text({ max: 300 })

export const AccountView = z
  .object({
    id: Id,
    username: Username,
    displayName: z.string().meta({ examples: ['Robin'] }),
    bio: z.string().meta({ examples: ['Counts the birds at the lake.'] }),
    createdAt: Time,
    counts: z.object({ posts: Count, followers: Count, following: Count }),
    viewer: z.object({ following: z.boolean() }).nullable(),
  })
  .meta({ id: 'Account' })

export const AccountPage = pageOf(AccountView).meta({ id: 'AccountPage' })

export const AuthorView = z
  .object({ id: Id, username: Username, displayName: z.string().meta({ examples: ['Robin'] }) })
  .meta({ id: 'Author' })

/** @param passwordMinLength - in characters. Its strength is checked later, off the event loop. */
export const signUpBody = (passwordMinLength: number) =>
  z
    .strictObject({
      username: Username,
      password: newPassword(passwordMinLength),
      displayName: DisplayName.optional(),
      bio: Bio.optional(),
    })
    .meta({
      examples: [
        {
          username: exampleUsername,
          password: examplePassword,
          displayName: 'Robin',
          bio: 'Counts the birds at the lake.',
        },
      ],
    })

export const changePasswordBody = (minLength: number) =>
  z.strictObject({ currentPassword: PresentedPassword, newPassword: newPassword(minLength) }).meta({
    examples: [{ currentPassword: examplePassword, newPassword: `${examplePassword} by night` }],
  })

export const ProfileBody = z
  .strictObject({ displayName: DisplayName.optional(), bio: Bio.optional() })
  .refine(({ displayName, bio }) => displayName !== undefined || bio !== undefined, 'Must have displayName or bio.')
  .meta({ minProperties: 1, examples: [{ bio: 'Counts the owls at the lake.' }] })

export const AccountParams = z.object({ username: Username })
