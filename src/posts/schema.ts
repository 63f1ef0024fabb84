import { z } from 'zod'
import { AuthorView } from '../accounts/schema.ts'
import { pageOf } from '../http/pages.ts'
import { text } from '../http/text.ts'
import { Count, Id, Time } from '../http/wire-types.ts'
import { ReactionValue } from '../reactions/value.ts'

const PostText = text({ min: 1, max: 500 })

export const PostView = z
  .object({
    id: Id,
    author: AuthorView,
    text: z.string().meta({ examples: ['Hello from the rookery.'] }),
    createdAt: Time,
    editedAt: Time.nullable(),
    replyTo: Id.nullable(),
    counts: z.object({ likes: Count, dislikes: Count, replies: Count }),
    viewer: z.object({ reaction: ReactionValue.nullable() }).nullable(),
  })
  .meta({ id: 'Post' })

export const PostPage = pageOf(PostView).meta({ id: 'PostPage' })

export const CreateBody = z
  .strictObject({ text: PostText, replyTo: Id.optional() })
  .meta({ examples: [{ text: 'Hello from the rookery.' }] })

export const CreateHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,64}$/, 'Must be 1 to 64 visible ASCII characters.')
    .describe('Makes a repeat within 24 hours safe: it answers the post of the first request.')
    .optional(),
})

export const EditBody = z
  .strictObject({ text: PostText })
  .meta({ examples: [{ text: 'Hello from the rookery, once more.' }] })

export const PostParams = z.object({ id: Id })
