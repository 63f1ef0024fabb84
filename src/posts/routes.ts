import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { AccountParams } from '../accounts/schema.ts'
import type { Parts } from '../context.ts'
import { PageQuery, pageOf } from '../http/pages.ts'
import { invalid, notFound, Problem } from '../http/problems.ts'
import { NoContent } from '../http/responses.ts'
import { member, viewerOf } from '../sessions/auth-hooks.ts'
import { fingerprintOf } from './idempotency.ts'
import { CreateBody, CreateHeaders, EditBody, PostParams, PostView } from './schema.ts'
import { demandPost, viewPost, viewPostPage } from './view.ts'

type Options = Pick<Parts, 'accounts' | 'posts' | 'reactions' | 'sweepers'>

const tags = ['posts']
const forbidden = () => new Problem('forbidden', 'This post is somebody else’s.')

/** Reading posts: for everyone. */
export const readPosts: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { accounts, posts } = parts

  scope.get(
    '/posts',
    {
      schema: {
        summary: 'List posts, replies left out',
        tags,
        querystring: PageQuery,
        response: { 200: pageOf(PostView) },
      },
    },
    async (request) => viewPostPage(parts, 'posts', request.query, viewerOf(request), posts.listRoots),
  )

  scope.get(
    '/posts/:id',
    { schema: { summary: 'Read a post', tags, params: PostParams, response: { 200: PostView } } },
    async (request) => {
      const post = await posts.find(request.params.id)
      if (!post) throw notFound()
      return viewPost(parts, post, viewerOf(request))
    },
  )

  scope.get(
    '/accounts/:username/posts',
    {
      schema: {
        summary: 'List what an account wrote, replies included',
        tags,
        params: AccountParams,
        querystring: PageQuery,
        response: { 200: pageOf(PostView) },
      },
    },
    async (request) => {
      const { username } = request.params
      const list = `posts by ${username.toLowerCase()}`
      return viewPostPage(parts, list, request.query, viewerOf(request), async (position) => {
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
        summary: 'List the replies to a post',
        tags,
        params: PostParams,
        querystring: PageQuery,
        response: { 200: pageOf(PostView) },
      },
    },
    async (request) => {
      const { id } = request.params
      return viewPostPage(parts, `replies to ${id}`, request.query, viewerOf(request), async (position) => {
        await demandPost(parts, id)
        return posts.listReplies(id, position)
      })
    },
  )
}

/** Writing posts: for members. */
export const writePosts: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { accounts, posts, sweepers } = parts

  scope.post(
    '/posts',
    {
      schema: {
        summary: 'Write a post, or a reply to one',
        tags,
        headers: CreateHeaders,
        body: CreateBody,
        response: { 201: PostView },
      },
      config: { problems: ['not-found', 'idempotency-conflict'] },
    },
    async (request, reply) => {
      const { account } = member(request)
      const { text, replyTo } = request.body
      const key = request.headers['idempotency-key']
      const claim = key === undefined ? undefined : { key, fingerprint: fingerprintOf([text, replyTo ?? null]) }
      const reading = accounts.author(account)
      // Whether it can be read is asked after the post is written: nobody may be told 503 while it is being written.
      reading.catch(() => undefined)
      const creation = await posts.create({ author: account, text, replyTo }, claim)
      switch (creation.outcome) {
        case 'no-such-parent':
          throw invalid({ pointer: '/body/replyTo', detail: 'names no post' })
        case 'other-body':
          throw new Problem('idempotency-conflict', 'This Idempotency-Key stands for a post with another body.')
        case 'deleted-meanwhile':
          throw notFound()
        case 'replayed':
          reply.header('idempotency-replayed', 'true')
      }
      const { post } = creation
      reply.code(201).header('location', `/v1/posts/${post.id}`)
      const author = await reading
      if (creation.outcome === 'replayed' || !author) return viewPost(parts, post, account)
      // Nobody can have reacted to it.
      return { ...post, author, viewer: { reaction: null } }
    },
  )

  scope.patch(
    '/posts/:id',
    {
      schema: {
        summary: 'Change one’s own post',
        tags,
        params: PostParams,
        body: EditBody,
        response: { 200: PostView },
      },
      config: { problems: ['forbidden'] },
    },
    async (request) => {
      const { account } = member(request)
      const edited = await posts.edit(request.params.id, account, request.body.text)
      if (edited === 'not-yours') throw forbidden()
      if (edited === 'not-found') throw notFound()
      return viewPost(parts, edited, account)
    },
  )

  scope.delete(
    '/posts/:id',
    {
      schema: { summary: 'Delete one’s own post', tags, params: PostParams, response: { 204: NoContent } },
      config: { problems: ['forbidden'] },
    },
    async (request, reply) => {
      const removed = await posts.remove(request.params.id, member(request).account)
      if (removed === 'not-yours') throw forbidden()
      if (removed === 'not-found') throw notFound()
      sweepers.posts.wake()
      return reply.code(204).send()
    },
  )
}
