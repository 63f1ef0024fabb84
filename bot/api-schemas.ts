import { z } from 'zod'

const reaction = z.enum(['like', 'dislike'])

// Only the fields that the bot relies on: unknown fields are ignored.
export const account = z.object({
  username: z.string(),
  counts: z.object({ posts: z.int(), followers: z.int(), following: z.int() }),
})
export const post = z.object({
  id: z.string().min(1),
  author: z.object({ username: z.string() }),
  text: z.string(),
  createdAt: z.iso.datetime(),
  replyTo: z.string().nullable(),
  counts: z.object({ likes: z.int(), dislikes: z.int(), replies: z.int() }),
})
export const reacted = z.object({ value: reaction.nullable() })
export const reactor = z.object({ account: z.object({ username: z.string() }), value: reaction })
export const problem = z.object({ code: z.string() })

export function page<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() })
}

export type Account = z.infer<typeof account>
export type Post = z.infer<typeof post>
export type Reactor = z.infer<typeof reactor>
