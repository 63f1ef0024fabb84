import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Parts } from '../context.ts'
import { toUuid } from '../database/ids.ts'
import { PageQuery, pageFrom, pageOf, positionOf } from '../http/pages.ts'
import { PostView } from '../posts/schema.ts'
import { viewPosts } from '../posts/view.ts'
import { member } from '../sessions/auth-hooks.ts'

type Options = Pick<Parts, 'accounts' | 'follows' | 'posts' | 'reactions' | 'timelines'>

/** What those whom one follows have written. */
export const timeline: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { follows, posts, timelines } = parts

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
      const list = `timeline of ${account}`
      const position = positionOf(list, request.query)
      const authors = [toUuid(account), ...(await follows.followedBy(account))]
      const ids = await timelines.list(authors, position)
      const { items, nextCursor } = pageFrom(list, position.limit, ids, (id) => id)
      const found = await Promise.all(items.map(posts.find))
      // What was deleted since is left out.
      const there = found.filter((post) => post !== undefined)
      return { items: await viewPosts(parts, there, account), nextCursor }
    },
  )
}
