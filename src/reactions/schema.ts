import { z } from 'zod'
import { AuthorView } from '../accounts/schema.ts'
import { PageQuery } from '../http/pages.ts'
import { Count, Time } from '../http/wire-types.ts'
import { PostView } from '../posts/schema.ts'
import { ReactionValue } from './value.ts'

export const ReactBody = z.strictObject({ value: ReactionValue })

export const ReactedView = z.object({
  value: ReactionValue.nullable(),
  counts: z.object({ likes: Count, dislikes: Count, replies: Count }),
})

export const ReactionView = z.object({ account: AuthorView, value: ReactionValue, reactedAt: Time })

export const OwnReactionView = z.object({ post: PostView, value: ReactionValue, reactedAt: Time })

export const ReactionsQuery = PageQuery.extend({ value: ReactionValue.optional() })
