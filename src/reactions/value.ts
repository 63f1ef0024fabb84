import { z } from 'zod'

export const ReactionValue = z.enum(['like', 'dislike'])
export type ReactionValue = z.infer<typeof ReactionValue>
