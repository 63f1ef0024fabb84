import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { untilAnswered } from '../http/deadline.ts'
import { PageQuery, pageFrom, positionOf } from '../http/pages.ts'
import { accountTurn } from '../limits/client-turn.ts'
import { PostPage } from '../posts/schema.ts'
import { type PostReadContext, readPostView } from '../posts/view.ts'
import { requireViewer } from '../sessions/auth-hooks.ts'
import type { TimelineStore } from './store.ts'

type Context = PostReadContext & { timelines: TimelineStore }

export const timelineRoutes: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { timelines } = context

  scope.get(
    '/timeline',
    {
      schema: {
        operationId: 'readTimeline',
        summary: 'Read your timeline',
        tags: ['posts'],
        querystring: PageQuery,
        response: { 200: PostPage },
      },
    },
    async (request, reply) => {
      const { account } = requireViewer(request)
      const list = `timeline of ${account}`
      const position = positionOf(list, request.query)
      const ids = await timelines.list(account, position, {
        ...accountTurn(request.client.ip, account),
        signal: untilAnswered(reply),
      })
      const { items, nextCursor } = pageFrom(list, position.limit, ids, (id) => id)
      const views = await Promise.all(items.map((id) => readPostView(context, id, account)))
      // A post may have been deleted since its id was read.
      return { items: views.filter((view) => view !== undefined), nextCursor }
    },
  )
}
