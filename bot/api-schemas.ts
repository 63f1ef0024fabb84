import { z } from 'zod'

const reaction = z.enum(['like', 'dislike'])
const author = z.object({ username: z.string(), displayName: z.string() })

// Only the fields that the bot relies on: unknown fields are ignored.
export const account = z.object({
  username: z.string(),
  displayName: z.string(),
  bio: z.string(),
  counts: z.object({ posts: z.int(), followers: z.int(), following: z.int() }),
  viewer: z.object({ following: z.boolean() }).nullable(),
})
const counts = z.object({ likes: z.int(), dislikes: z.int(), replies: z.int() })
export const post = z.object({
  id: z.string().min(1),
  author,
  text: z.string(),
  createdAt: z.iso.datetime(),
  replyTo: z.string().nullable(),
  counts,
  viewer: z.object({ reaction: reaction.nullable() }).nullable(),
})
export const reacted = z.object({ value: reaction.nullable(), counts })
export const reactor = z.object({ account: author, value: reaction, reactedAt: z.iso.datetime() })
export const given = z.object({ post, value: reaction, reactedAt: z.iso.datetime() })
export const session = z.object({ id: z.string(), current: z.boolean() })
export const loggedIn = z.object({ session })
export const activity = z.object({ event: z.string(), count: z.int().optional() })
export const secondFactor = z.object({ totp: z.object({}).nullable(), recoveryCodesLeft: z.int() })
export const totpEnrolment = z.object({ secret: z.string() })
export const recoveryCodes = z.object({ recoveryCodes: z.array(z.string()) })
export const analytics = z.object({
  items: z.array(z.object({ date: z.string(), likes: z.int(), dislikes: z.int() })),
  total: z.object({ likes: z.int(), dislikes: z.int() }),
})
export const problem = z.object({ code: z.string() })

export function page<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() })
}

export type Account = z.infer<typeof account>
export type Post = z.infer<typeof post>
export type SecondFactor = z.infer<typeof secondFactor>
