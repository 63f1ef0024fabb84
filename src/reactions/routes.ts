import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { withWriteDeadline } from '../http/deadline.ts'
import { pageFrom, positionOf } from '../http/pages.ts'
import { notFound } from '../http/problems.ts'
import { PostParams } from '../posts/schema.ts'
import { type PostReadContext, readPostView, requirePost } from '../posts/view.ts'
import { requireViewer } from '../sessions/auth-hooks.ts'
import { ReactBody, ReactedPostPage, ReactedView, ReactionPage, ReactionsQuery } from './schema.ts'
import type { ReactionStore } from './store.ts'

type Context = PostReadContext & { reactions: ReactionStore }

const tags = ['reactions']
const howToFindOut = 'GET /v1/posts/{id} shows your reaction.'

export const publicReactionRoutes: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { accounts, reactions } = context

  scope.get(
    '/posts/:id/reactions',
    {
      schema: {
        operationId: 'listReactions',
        summary: 'List the reactions to a post',
        tags,
        params: PostParams,
        querystring: ReactionsQuery,
        response: { 200: ReactionPage },
      },
    },
    async (request) => {
      const { id } = request.params
      const { value } = request.query
      const list = `reactions to ${id}: ${value ?? 'all'}`
      const position = positionOf(list, request.query)
      await requirePost(context, id)
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

export const ownReactionRoutes: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { reactions } = context

  scope.get(
    '/account/reactions',
    {
      schema: {
        operationId: 'listOwnReactions',
        summary: 'List your reactions',
        tags,
        querystring: ReactionsQuery,
        response: { 200: ReactedPostPage },
      },
    },
    async (request) => {
      const { account } = requireViewer(request)
      const { value } = request.query
      const list = `reactions by ${account}: ${value ?? 'all'}`
      const position = positionOf(list, request.query)
      const found = await reactions.listByAccount(account, position, value)
      const { items, nextCursor } = pageFrom(list, position.limit, found, ({ order }) => order)
      const views = items.map(async ({ post: id, value, reactedAt }) => {
        const post = await readPostView(context, id, account)
        return post ? [{ post, value, reactedAt }] : []
      })
      return { items: (await Promise.all(views)).flat(), nextCursor }
    },
  )
}

export const reactionRoutes: FastifyPluginAsyncZod<Context> = async (scope, { reactions }) => {
  scope.put(
    '/posts/:id/reaction',
    {
      schema: {
        operationId: 'setReaction',
        summary: 'Like or dislike a post',
        tags,
        params: PostParams,
        body: ReactBody,
        response: { 200: ReactedView },
      },
      config: { howToFindOut },
    },
    async (request) => {
      const { account } = requireViewer(request)
      const { value } = request.body
      const result = await withWriteDeadline(request, (deadline) =>
        reactions.react(request.params.id, account, value, deadline),
      )
      if (result.outcome === 'not-found') throw notFound()
      return result
    },
  )

  scope.delete(
    '/posts/:id/reaction',
    {
      schema: {
        operationId: 'deleteReaction',
        summary: 'Withdraw a reaction',
        tags,
        params: PostParams,
        response: { 200: ReactedView },
      },
      config: { howToFindOut },
    },
    async (request) => {
      const { account } = requireViewer(request)
      const result = await withWriteDeadline(request, (deadline) =>
        reactions.react(request.params.id, account, null, deadline),
      )
      if (result.outcome === 'not-found') throw notFound()
      return result
    },
  )
}
