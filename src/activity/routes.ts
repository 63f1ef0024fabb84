import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Parts } from '../context.ts'
import { PageQuery, pageFrom, positionOf } from '../http/pages.ts'
import { member, unauthenticated } from '../sessions/auth-hooks.ts'
import { ActivityPage } from './schema.ts'

type Options = Pick<Parts, 'activity' | 'credentials' | 'lastSeen' | 'sessions'>

/** What happened to one's own account. */
export const ownActivity: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { activity, credentials, lastSeen, sessions } = parts

  scope.get(
    '/account/activity',
    {
      schema: {
        summary: 'Read what happened to one’s own account',
        tags: ['accounts'],
        querystring: PageQuery,
        response: { 200: ActivityPage },
      },
    },
    async (request) => {
      const { account, session } = member(request)
      const list = `activity:${account}`
      const position = positionOf(list, request.query)
      const [lastLoginAt, stored, found] = await Promise.all([
        credentials.lastLoginAt(account),
        sessions.lastUse(account),
        activity.list(account, position),
      ])
      if (!lastLoginAt) throw unauthenticated()
      const lastRequestAt = new Date(Math.max(stored.getTime(), lastSeen.at(session).getTime()))
      return { lastLoginAt, lastRequestAt, ...pageFrom(list, position.limit, found, ({ id }) => id) }
    },
  )
}
