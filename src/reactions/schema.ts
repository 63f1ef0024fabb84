import { z } from 'zod'
import { AuthorView } from '../accounts/schema.ts'
import { PageQuery, pageOf } from '../http/pages.ts'
import { Count, Time } from '../http/wire-types.ts'
import { PostView } from '../posts/schema.ts'
import { ReactionValue } from './value.ts'

export const ReactBody = z.strictObject({ value: ReactionValue }).meta({ examples: [{ value: 'like' }] })

export const ReactedView = z
  .object({ value: ReactionValue.nullable(), counts: z.object({ likes: Count, dislikes: Count, replies: Count }) })
  .meta({ id: 'OwnReaction' })

export const ReactionPage = pageOf(
  z.object({ account: AuthorView, value: ReactionValue, reactedAt: Time }).meta({ id: 'Reaction' }),
).meta({ id: 'ReactionPage' })

export const ReactedPostPage = pageOf(
  z.object({ post: PostView, value: ReactionValue, reactedAt: Time }).meta({ id: 'ReactedPost' }),
).meta({ id: 'ReactedPostPage' })

export const ReactionsQuery = PageQuery.extend({ value: ReactionValue.optional() })
