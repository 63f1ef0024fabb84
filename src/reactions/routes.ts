import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { pageFrom, pageOf, positionOf } from '../http/pages.ts'
import { notFound } from '../http/problems.ts'
import type { Parts } from '../parts.ts'
import { PostParams } from '../posts/schema.ts'
import { member } from '../sessions/scope.ts'
import { ReactBody, ReactedView, ReactionsQuery, ReactionView } from './schema.ts'

type Options = Pick<Parts, 'accounts' | 'posts' | 'reactions'>

const tags = ['reactions']

/** Who reacted: for everyone. */
export const readReactions: FastifyPluginAsyncZod<Options> = async (scope, { accounts, posts, reactions }) => {
  scope.get(
    '/posts/:id/reactions',
    {
      schema: {
        summary: 'List who reacted to a post',
        tags,
        params: PostParams,
        querystring: ReactionsQuery,
        response: { 200: pageOf(ReactionView) },
      },
    },
    async (request) => {
      const { id } = request.params
      const { value } = request.query
      const list = `reactions to ${id}: ${value ?? 'all'}`
      const position = positionOf(list, request.query)
      if (!(await posts.find(id))) throw notFound()
      const found = await reactions.list(id, value, position)
      const { items, nextCursor } = pageFrom(list, position.limit, found, ({ order }) => order)
      const authors = await Promise.all(items.map(({ account }) => accounts.author(account)))
      const views = items.flatMap(({ value, reactedAt }, n) => {
        const author = authors[n]
        return author ? [{ account: author, value, reactedAt }] : []
      })
      return { items: views, nextCursor }
    },
  )
}

/** Liking and disliking: for members. */
export const writeReactions: FastifyPluginAsyncZod<Options> = async (scope, { reactions }) => {
  scope.put(
    '/posts/:id/reaction',
    {
      schema: {
        summary: 'Like or dislike a post, or change one’s mind',
        tags,
        params: PostParams,
        body: ReactBody,
        response: { 200: ReactedView },
      },
    },
    async (request) => {
      const reacted = await reactions.react(request.params.id, member(request).account, request.body.value)
      if (!reacted) throw notFound()
      return reacted
    },
  )

  scope.delete(
    '/posts/:id/reaction',
    {
      schema: { summary: 'Withdraw one’s reaction', tags, params: PostParams, response: { 200: ReactedView } },
    },
    async (request) => {
      const reacted = await reactions.react(request.params.id, member(request).account, null)
      if (!reacted) throw notFound()
      return reacted
    },
  )
}
