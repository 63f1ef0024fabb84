import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { CredentialStore } from '../credentials/store.ts'
import { PageQuery, pageFrom, positionOf } from '../http/pages.ts'
import { unauthenticated } from '../http/problems.ts'
import { requireViewer } from '../sessions/auth-hooks.ts'
import type { LastSeen } from '../sessions/last-seen.ts'
import type { SessionStore } from '../sessions/store.ts'
import { ActivityPage } from './schema.ts'
import type { ActivityStore } from './store.ts'

type Context = {
  activity: ActivityStore
  credentials: Pick<CredentialStore, 'lastLoginAt'>
  lastSeen: LastSeen
  sessions: Pick<SessionStore, 'lastSeenAt'>
}

export const activityRoutes: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { activity, credentials, lastSeen, sessions } = context

  scope.get(
    '/account/activity',
    {
      schema: {
        operationId: 'readActivity',
        summary: 'Read your account’s activity',
        tags: ['accounts'],
        querystring: PageQuery,
        response: { 200: ActivityPage },
      },
    },
    async (request) => {
      const { account, session } = requireViewer(request)
      const list = `activity:${account}`
      const position = positionOf(list, request.query)
      const [lastLoginAt, stored, found] = await Promise.all([
        credentials.lastLoginAt(account),
        sessions.lastSeenAt(account),
        activity.list(account, position),
      ])
      if (!lastLoginAt) throw unauthenticated()
      const lastRequestAt = new Date(Math.max(stored.getTime(), lastSeen.at(session).getTime()))
      return { lastLoginAt, lastRequestAt, ...pageFrom(list, position.limit, found, ({ id }) => id) }
    },
  )
}
