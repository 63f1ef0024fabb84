import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Parts } from '../context.ts'
import { pageFrom, pageOf, positionOf } from '../http/pages.ts'
import { notFound } from '../http/problems.ts'
import { PostParams } from '../posts/schema.ts'
import { demandPost, viewPosts } from '../posts/view.ts'
import { member } from '../sessions/auth-hooks.ts'
import { GivenReactionView, ReactBody, ReactedView, ReactionsQuery, ReactionView } from './schema.ts'

type Options = Pick<Parts, 'accounts' | 'posts' | 'reactions'>

const tags = ['reactions']

/** Who reacted: for everyone. */
export const readReactions: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { accounts, reactions } = parts

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
      await demandPost(parts, id)
      const found = await reactions.listOfPost(id, position, value)
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

/** What one has reacted to. */
export const ownReactions: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { posts, reactions } = parts

  scope.get(
    '/account/reactions',
    {
      schema: {
        summary: 'List what one has reacted to',
        tags,
        querystring: ReactionsQuery,
        response: { 200: pageOf(GivenReactionView) },
      },
    },
    async (request) => {
      const { account } = member(request)
      const { value } = request.query
      const list = `reactions by ${account}: ${value ?? 'all'}`
      const position = positionOf(list, request.query)
      const found = await reactions.listByAccount(account, position, value)
      const { items, nextCursor } = pageFrom(list, position.limit, found, ({ order }) => order)
      const views = items.map(async ({ post: id, value, reactedAt }) => {
        const found = await posts.find(id)
        const [post] = found ? await viewPosts(parts, [found], account) : []
        return post ? [{ post, value, reactedAt }] : []
      })
      return { items: (await Promise.all(views)).flat(), nextCursor }
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
