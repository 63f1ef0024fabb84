import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { AccountStore } from '../accounts/store.ts'
import { viewOwn } from '../accounts/view.ts'
import { unauthenticated } from '../http/problems.ts'
import { requireViewer } from './auth-hooks.ts'
import type { Session } from './model.ts'
import { LoggedIn } from './schema.ts'
import type { SessionStore } from './store.ts'

type Context = { accounts: Pick<AccountStore, 'find'>; sessions: Pick<SessionStore, 'find'> }

export const viewSession = ({ account: _, ...session }: Session, current: boolean) => ({ ...session, current })

export async function viewLoggedIn({ accounts }: Pick<Context, 'accounts'>, session: Session) {
  const account = await accounts.find(session.account)
  if (!account) throw unauthenticated()
  return { account: viewOwn(account), session: viewSession(session, true) }
}

export const currentSessionRoute: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  scope.get(
    '/session',
    {
      schema: {
        operationId: 'readSession',
        summary: 'Read the current session',
        tags: ['sessions'],
        response: { 200: LoggedIn },
      },
    },
    async (request) => {
      const session = await context.sessions.find(requireViewer(request))
      if (!session) throw unauthenticated()
      return viewLoggedIn(context, session)
    },
  )
}
