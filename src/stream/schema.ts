import { z } from 'zod'
import { Count, Id } from '../http/wire-types.ts'
import { PostView } from '../posts/schema.ts'
import type { Change } from './change-feed.ts'
import { positionForm } from './position.ts'

export const StreamQuery = z.strictObject({
  scope: z
    .enum(['timeline'])
    .optional()
    .describe('`timeline`: only posts by the accounts that you follow and by yourself, without replies.'),
})

export const StreamHeaders = z.object({
  'last-event-id': z
    .string()
    .refine((id) => id === '' || positionForm.test(id), 'Must be the id of an event of this stream.')
    .optional()
    .meta({
      pattern: '^([0-9a-f]{24})?$',
      description: 'The id of the last event that was received: resumes after it.',
    }),
})

const CountsView = z.object({ id: Id, counts: z.object({ likes: Count, dislikes: Count, replies: Count }) })

export type PostOfEvent = z.output<typeof PostView>

const block = (lines: readonly string[]) => `${lines.join('\n')}\n\n`

/** Without an id for counts: they are sent after later changes, and are repeated when a stream resumes. */
export function eventText({ kind, post: id, position }: Change, post: PostOfEvent | undefined): string {
  if (kind === 'counts' && post) return block(['event: counts', `data: ${JSON.stringify(z.encode(CountsView, post))}`])
  const data = kind === 'removed' ? { id } : z.encode(PostView, post as PostOfEvent)
  return block([`id: ${position}`, `event: ${kind}`, `data: ${JSON.stringify(data)}`])
}

/** With an id it sets the last event id without being an event (HTML, 9.2.6), so that an idle stream can resume, too. */
export const heartbeatText = (position: string | undefined): string =>
  block([': heartbeat', ...(position === undefined ? [] : [`id: ${position}`])])

/** @param ms - after which a client whose connection is closed should try again */
export const openingText = (position: string, ms: number): string => block([`retry: ${ms}`, `id: ${position}`])

export type LagReason = 'slow' | 'unknown-position'

/** With the position to go on from, unless the stream can resume where it was. */
export const laggedText = (reason: LagReason, position?: string): string =>
  block([
    ...(position === undefined ? [] : [`id: ${position}`]),
    'event: lagged',
    `data: ${JSON.stringify({ reason })}`,
  ])
