import { Readable } from 'node:stream'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Parts } from '../context.ts'
import { allOf, type Position } from '../http/pages.ts'
import { Lines, linesType } from '../http/responses.ts'
import type { Viewer } from '../sessions/access-token.ts'
import { member, requireConfirmation, unauthenticated } from '../sessions/auth-hooks.ts'

type Options = Pick<
  Parts,
  'accounts' | 'activity' | 'devices' | 'follows' | 'posts' | 'reactions' | 'sessions' | 'transact'
>

/** What is read at a time. */
const atOnce = 200

/** Everything that is kept of an account, but no secret and no hash, some records at a time. */
async function* recordsOf(account: string, parts: Options): AsyncGenerator<object[]> {
  const { accounts, activity, devices, follows, posts, reactions, sessions } = parts
  const own = await accounts.find(account)
  yield own ? [{ type: 'account', ...own }] : []
  yield (await devices.list(account)).map((device) => ({ type: 'device', ...device }))

  const list = <T>(read: (account: string, position: Position) => Promise<T[]>, keyOf: (item: T) => string) =>
    allOf((position) => read(account, position), keyOf, atOnce)
  for await (const some of list(sessions.list, ({ id }) => id)) {
    yield some.map(({ account: _, ...session }) => ({ type: 'session', ...session }))
  }
  for await (const some of list(activity.list, ({ id }) => id)) {
    yield some.map(({ id: _, ...item }) => ({ type: 'activity', ...item }))
  }
  for await (const some of list(posts.listByAuthor, ({ id }) => id)) {
    yield some.map(({ author: _, ...post }) => ({ type: 'post', ...post }))
  }
  for await (const some of list(reactions.listByAccount, ({ order }) => order)) {
    yield some.map(({ post, value, reactedAt }) => ({ type: 'reaction', post, value, reactedAt }))
  }
  for await (const some of list(follows.listFollowing, ({ order }) => order)) {
    yield await Promise.all(
      some.map(async ({ to, since }) => ({ type: 'following', account: await accounts.author(to), since })),
    )
  }
  for await (const some of list(follows.listFollowers, ({ order }) => order)) {
    yield await Promise.all(
      some.map(async ({ from, since }) => ({ type: 'follower', account: await accounts.author(from), since })),
    )
  }
}

/** The lines of an export. Only one that is whole has the last: whoever's session ends meanwhile gets no more. */
async function* linesOf(viewer: Viewer, parts: Options): AsyncGenerator<string> {
  for await (const records of recordsOf(viewer.account, parts)) {
    if (!(await parts.sessions.find(viewer))) throw unauthenticated()
    yield records.map((record) => `${JSON.stringify(record)}\n`).join('')
  }
  yield `${JSON.stringify({ end: true })}\n`
}

/** Taking all of one's own away. */
export const exportAccount: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { accounts, activity, transact } = parts

  scope.get(
    '/account/export',
    {
      preHandler: requireConfirmation(parts),
      schema: { summary: 'Read all that is kept of one’s account', tags: ['accounts'], response: { 200: Lines } },
      config: { problems: ['confirmation-required'] },
    },
    async (request, reply) => {
      const viewer = member(request)
      const own = await accounts.find(viewer.account)
      if (!own) throw unauthenticated()
      reply.type(linesType).header('content-disposition', `attachment; filename="rookery-${own.username}.ndjson"`)
      if (request.method === 'HEAD') return reply.send(Readable.from([]))
      await transact((transaction) => activity.record(viewer.account, 'exported', request.client, transaction))
      return reply.send(Readable.from(linesOf(viewer, parts)))
    },
  )
}
