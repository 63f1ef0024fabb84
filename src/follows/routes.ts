import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { AccountParams, AccountView } from '../accounts/schema.ts'
import { viewAccount } from '../accounts/view.ts'
import type { Parts } from '../context.ts'
import { PageQuery, type Position, pageFrom, pageOf, positionOf } from '../http/pages.ts'
import { invalid, notFound } from '../http/problems.ts'
import { NoContent } from '../http/responses.ts'
import { member, viewerOf } from '../sessions/auth-hooks.ts'
import type { Follow } from './store.ts'

type Options = Pick<Parts, 'accounts' | 'follows'>

const tags = ['follows']

/** Who follows whom: for everyone. */
export const readFollows: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { accounts, follows } = parts

  const lists = [
    {
      name: 'followers',
      summary: 'List who follows an account',
      read: (account: string, position: Position) => follows.listFollowers(account, position),
      shown: ({ from }: Follow) => from,
    },
    {
      name: 'following',
      summary: 'List whom an account follows',
      read: (account: string, position: Position) => follows.listFollowing(account, position),
      shown: ({ to }: Follow) => to,
    },
  ]
  for (const { name, summary, read, shown } of lists) {
    scope.get(
      `/accounts/:username/${name}`,
      {
        schema: {
          summary,
          tags,
          params: AccountParams,
          querystring: PageQuery,
          response: { 200: pageOf(AccountView) },
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
          const other = await accounts.find(shown(follow))
          return other ? [await viewAccount(parts, other, viewerOf(request))] : []
        })
        return { items: (await Promise.all(views)).flat(), nextCursor }
      },
    )
  }
}

/** Following: for members. */
export const writeFollows: FastifyPluginAsyncZod<Options> = async (scope, { accounts, follows }) => {
  const idOf = async (username: string) => {
    const id = await accounts.idOf(username)
    if (id === undefined) throw notFound()
    return id
  }

  scope.put(
    '/accounts/:username/follow',
    { schema: { summary: 'Follow an account', tags, params: AccountParams, response: { 204: NoContent } } },
    async (request, reply) => {
      const { account } = member(request)
      const followed = await idOf(request.params.username)
      if (followed === account) throw invalid({ pointer: '/path/username', detail: 'is one’s own: follow others' })
      if ((await follows.follow(account, followed)) === 'no-such-account') throw notFound()
      return reply.code(204).send()
    },
  )

  scope.delete(
    '/accounts/:username/follow',
    { schema: { summary: 'Follow an account no longer', tags, params: AccountParams, response: { 204: NoContent } } },
    async (request, reply) => {
      const { account } = member(request)
      const followed = await idOf(request.params.username)
      if ((await follows.unfollow(account, followed)) === 'no-such-account') throw notFound()
      return reply.code(204).send()
    },
  )
}
