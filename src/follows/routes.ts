import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { AccountPage, AccountParams } from '../accounts/schema.ts'
import type { AccountStore } from '../accounts/store.ts'
import { viewAccount } from '../accounts/view.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { PageQuery, type Position, pageFrom, positionOf } from '../http/pages.ts'
import { invalid, notFound } from '../http/problems.ts'
import { NoContent } from '../http/responses.ts'
import { requireViewer, viewerOf } from '../sessions/auth-hooks.ts'
import type { Follow, FollowStore } from './store.ts'

type ReadContext = { accounts: Pick<AccountStore, 'find' | 'idOf'>; follows: FollowStore }

type Context = ReadContext & { limits: { follows: number } }

const tags = ['follows']
const howToFindOut = 'GET /v1/accounts/{username} shows whether you follow the account.'

export const publicFollowRoutes: FastifyPluginAsyncZod<ReadContext> = async (scope, context) => {
  const { accounts, follows } = context

  const lists = [
    {
      name: 'followers',
      operationId: 'listFollowers',
      summary: 'List the followers of an account',
      read: (account: string, position: Position) => follows.listFollowers(account, position),
      accountOf: ({ from }: Follow) => from,
    },
    {
      name: 'following',
      operationId: 'listFollowing',
      summary: 'List the accounts that an account follows',
      read: (account: string, position: Position) => follows.listFollowing(account, position),
      accountOf: ({ to }: Follow) => to,
    },
  ]
  for (const { name, operationId, summary, read, accountOf } of lists) {
    scope.get(
      `/accounts/:username/${name}`,
      {
        schema: {
          operationId,
          summary,
          tags,
          params: AccountParams,
          querystring: PageQuery,
          response: { 200: AccountPage },
        },
      },
      async (request) => {
        const { username } = request.params
        const list = `${name} of ${username.toLowerCase()}`
        const position = positionOf(list, request.query)
        const account = await accounts.idOf(username)
        if (account === undefined) throw notFound()
        const found = await read(account, position)
        const { items, nextCursor } = pageFrom(list, position.limit, found, ({ order }) => order)
        const views = items.map(async (follow) => {
          const other = await accounts.find(accountOf(follow))
          return other ? [await viewAccount(context, other, viewerOf(request))] : []
        })
        return { items: (await Promise.all(views)).flat(), nextCursor }
      },
    )
  }
}

export const followRoutes: FastifyPluginAsyncZod<Context> = async (scope, { accounts, follows, limits }) => {
  const tooMany = `You cannot follow more than ${limits.follows.toLocaleString('en')} accounts: unfollow one first.`

  const requireAccount = async (username: string) => {
    const id = await accounts.idOf(username)
    if (id === undefined) throw notFound()
    return id
  }

  scope.put(
    '/accounts/:username/follow',
    {
      schema: {
        operationId: 'followAccount',
        summary: 'Follow an account',
        tags,
        params: AccountParams,
        response: { 204: NoContent },
      },
      config: { howToFindOut },
    },
    async (request, reply) => {
      const { account } = requireViewer(request)
      const followed = await requireAccount(request.params.username)
      if (followed === account) throw invalid({ pointer: '/path/username', detail: 'You cannot follow yourself.' })
      const { outcome } = await withWriteDeadline(request, (deadline) =>
        follows.follow(account, followed, limits.follows, deadline),
      )
      if (outcome === 'too-many-followed') throw invalid({ pointer: '/path/username', detail: tooMany })
      if (outcome === 'account-not-found') throw notFound()
      return reply.code(204).send()
    },
  )

  scope.delete(
    '/accounts/:username/follow',
    {
      schema: {
        operationId: 'unfollowAccount',
        summary: 'Unfollow an account',
        tags,
        params: AccountParams,
        response: { 204: NoContent },
      },
      config: { howToFindOut },
    },
    async (request, reply) => {
      const { account } = requireViewer(request)
      const followed = await requireAccount(request.params.username)
      const { outcome } = await withWriteDeadline(request, (deadline) => follows.unfollow(account, followed, deadline))
      if (outcome === 'account-not-found') throw notFound()
      return reply.code(204).send()
    },
  )
}
