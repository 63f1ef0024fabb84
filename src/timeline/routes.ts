import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { toUuid } from '../database/ids.ts'
import { PageQuery, pageOf } from '../http/pages.ts'
import type { Parts } from '../parts.ts'
import { PostView } from '../posts/schema.ts'
import { viewPostPage } from '../posts/view.ts'
import { member } from '../sessions/scope.ts'

type Options = Pick<Parts, 'accounts' | 'follows' | 'posts' | 'reactions'>

/** What those whom one follows have written. */
export const timeline: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { follows, posts } = parts

  scope.get(
    '/timeline',
    {
      schema: {
        summary: 'List the posts of those whom one follows, and one’s own; replies left out',
        tags: ['posts'],
        querystring: PageQuery,
        response: { 200: pageOf(PostView) },
      },
    },
    async (request) => {
      const { account } = member(request)
      return viewPostPage(parts, `timeline of ${account}`, request.query, account, async (position) => {
        const authors = await follows.followedBy(account)
        return posts.listRootsBy([toUuid(account), ...authors], position)
      })
    },
  )
}
