import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { AccountParams } from '../accounts/schema.ts'
import type { AccountStore } from '../accounts/store.ts'
import type { Sweeper } from '../database/sweeper.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { PageQuery } from '../http/pages.ts'
import { invalid, notFound, Problem } from '../http/problems.ts'
import { NoContent } from '../http/responses.ts'
import { requireViewer, viewerOf } from '../sessions/auth-hooks.ts'
import { fingerprintOf } from './idempotency.ts'
import type { PostPages } from './page-views.ts'
import { CreateBody, CreateHeaders, EditBody, PostPage, PostParams, PostView } from './schema.ts'
import type { PostStore } from './store.ts'
import { type PostViewContext, readPostView, requirePost, viewPost } from './view.ts'

type Context = PostViewContext & {
  accounts: Pick<AccountStore, 'author' | 'idOf'>
  postPages: PostPages
  posts: PostStore
  sweepers: { posts: Sweeper }
}

const tags = ['posts']
const howToFindOut = 'GET /v1/posts/{id} shows the post as it is.'
const forbidden = () => new Problem('forbidden', 'Only the author may change or delete a post.')

export const publicPostRoutes: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { accounts, postPages, posts } = context

  scope.get(
    '/posts',
    {
      schema: {
        operationId: 'listPosts',
        summary: 'List posts',
        tags,
        querystring: PageQuery,
        response: { 200: PostPage },
      },
    },
    async (request) => postPages.read('posts', request.query, viewerOf(request), posts.listRoots),
  )

  scope.get(
    '/posts/:id',
    {
      schema: {
        operationId: 'readPost',
        summary: 'Read a post',
        tags,
        params: PostParams,
        response: { 200: PostView },
      },
    },
    async (request) => {
      const view = await readPostView(context, request.params.id, viewerOf(request))
      if (!view) throw notFound()
      return view
    },
  )

  scope.get(
    '/accounts/:username/posts',
    {
      schema: {
        operationId: 'listAccountPosts',
        summary: 'List the posts of an account',
        tags,
        params: AccountParams,
        querystring: PageQuery,
        response: { 200: PostPage },
      },
    },
    async (request) => {
      const { username } = request.params
      const list = `posts by ${username.toLowerCase()}`
      return postPages.read(list, request.query, viewerOf(request), async (position) => {
        const author = await accounts.idOf(username)
        if (author === undefined) throw notFound()
        return posts.listByAuthor(author, position)
      })
    },
  )

  scope.get(
    '/posts/:id/replies',
    {
      schema: {
        operationId: 'listReplies',
        summary: 'List the replies to a post',
        tags,
        params: PostParams,
        querystring: PageQuery,
        response: { 200: PostPage },
      },
    },
    async (request) => {
      const { id } = request.params
      return postPages.read(`replies to ${id}`, request.query, viewerOf(request), async (position) => {
        await requirePost(context, id)
        return posts.listReplies(id, position)
      })
    },
  )
}

export const postRoutes: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { accounts, posts, sweepers } = context

  scope.post(
    '/posts',
    {
      schema: {
        operationId: 'createPost',
        summary: 'Create a post or a reply',
        tags,
        headers: CreateHeaders,
        body: CreateBody,
        response: { 201: PostView },
      },
      config: {
        responseHeaders: ['location', 'idempotency-replayed'],
        problems: ['not-found', 'idempotency-conflict'],
        howToFindOut: 'GET /v1/accounts/{username}/posts lists your posts.',
      },
    },
    async (request, reply) => {
      const { account } = requireViewer(request)
      const { text, replyTo } = request.body
      const key = request.headers['idempotency-key']
      const claim = key === undefined ? undefined : { key, fingerprint: fingerprintOf([text, replyTo ?? null]) }
      const authorRead = accounts.author(account)
      // Awaited after the write: a failed read must not answer 503 while the post is still being written.
      authorRead.catch(() => undefined)
      const creation = await withWriteDeadline(request, (deadline) =>
        posts.create({ author: account, text, replyTo }, claim, deadline),
      )
      switch (creation.outcome) {
        case 'parent-not-found':
          throw invalid({ pointer: '/body/replyTo', detail: 'Must be the id of an existing post.' })
        case 'key-reused':
          throw new Problem(
            'idempotency-conflict',
            'This Idempotency-Key was used with a different body: choose another key.',
          )
        case 'deleted-since':
          throw notFound()
        case 'replayed':
          reply.header('idempotency-replayed', 'true')
      }
      const { post } = creation
      reply.code(201).header('location', `/v1/posts/${post.id}`)
      const author = await authorRead
      if (creation.outcome === 'replayed' || !author) return viewPost(context, post, account)
      return { ...post, author, viewer: { reaction: null } }
    },
  )

  scope.patch(
    '/posts/:id',
    {
      schema: {
        operationId: 'editPost',
        summary: 'Edit a post',
        tags,
        params: PostParams,
        body: EditBody,
        response: { 200: PostView },
      },
      config: { problems: ['forbidden'], howToFindOut },
    },
    async (request) => {
      const { account } = requireViewer(request)
      const result = await withWriteDeadline(request, (deadline) =>
        posts.edit(request.params.id, account, request.body.text, deadline),
      )
      if (result.outcome !== 'edited') throw result.outcome === 'not-author' ? forbidden() : notFound()
      return viewPost(context, result.post, account)
    },
  )

  scope.delete(
    '/posts/:id',
    {
      schema: {
        operationId: 'deletePost',
        summary: 'Delete a post',
        tags,
        params: PostParams,
        response: { 204: NoContent },
      },
      config: { problems: ['forbidden'], howToFindOut },
    },
    async (request, reply) => {
      const { account } = requireViewer(request)
      const { outcome } = await withWriteDeadline(request, (deadline) =>
        posts.delete(request.params.id, account, deadline),
      )
      if (outcome === 'not-author') throw forbidden()
      if (outcome === 'not-found') throw notFound()
      sweepers.posts.wake()
      return reply.code(204).send()
    },
  )
}
