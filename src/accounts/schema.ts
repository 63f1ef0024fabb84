import { z } from 'zod'
import { newPassword, PresentedPassword } from '../credentials/policy.ts'
import { name, text } from '../http/text.ts'
import { Count, Id, Time } from '../http/wire-types.ts'

/** Shown as typed; unique regardless of case. */
export const Username = z.string().regex(/^[A-Za-z0-9_]{3,30}$/, 'Must be 3 to 30 characters of A–Z, a–z, 0–9 and _.')

const DisplayName = name({ max: 50 })
const Bio = text({ max: 300 })

export const AccountView = z
  .object({
    id: Id,
    username: Username,
    displayName: z.string(),
    bio: z.string(),
    createdAt: Time,
    counts: z.object({ posts: Count, followers: Count, following: Count }),
    viewer: z.object({ following: z.boolean() }).nullable(),
  })
  .meta({ id: 'Account' })

export const AuthorView = z.object({ id: Id, username: Username, displayName: z.string() }).meta({ id: 'Author' })

/** @param passwordMinLength - in characters. Its strength is checked later, off the event loop. */
export const signUpBody = (passwordMinLength: number) =>
  z.strictObject({
    username: Username,
    password: newPassword(passwordMinLength),
    displayName: DisplayName.optional(),
    bio: Bio.optional(),
  })

export const changePasswordBody = (minLength: number) =>
  z.strictObject({ currentPassword: PresentedPassword, newPassword: newPassword(minLength) })

export const ProfileBody = z
  .strictObject({ displayName: DisplayName.optional(), bio: Bio.optional() })
  .refine(({ displayName, bio }) => displayName !== undefined || bio !== undefined, 'Must have displayName or bio.')
  .meta({ minProperties: 1 })

export const AccountParams = z.object({ username: Username })
