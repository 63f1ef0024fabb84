import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { Account, AccountStore } from '../accounts/store.ts'
import { viewOwn } from '../accounts/view.ts'
import { unauthenticated } from '../http/problems.ts'
import { requireViewer } from './auth-hooks.ts'
import type { LastSeen } from './last-seen.ts'
import type { Session } from './model.ts'
import { LoggedIn } from './schema.ts'
import type { SessionStore } from './store.ts'

type Context = {
  accounts: Pick<AccountStore, 'find'>
  lastSeen: Pick<LastSeen, 'at'>
  sessions: Pick<SessionStore, 'find'>
}

export const viewSession = ({ account: _, ...session }: Session, current: boolean) => ({ ...session, current })

export const viewBoth = (account: Account, session: Session) => ({
  account: viewOwn(account),
  session: viewSession(session, true),
})

export async function viewLoggedIn({ accounts }: Pick<Context, 'accounts'>, session: Session) {
  const account = await accounts.find(session.account)
  if (!account) throw unauthenticated()
  return viewBoth(account, session)
}

export const currentSessionRoute: FastifyPluginAsyncZod<Context> = async (scope, { accounts, lastSeen, sessions }) => {
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
      const viewer = requireViewer(request)
      const seenAt = lastSeen.at(viewer.session)
      const [session, account] = await Promise.all([sessions.find(viewer, seenAt), accounts.find(viewer.account)])
      if (!session || !account) throw unauthenticated()
      return viewBoth(account, session)
    },
  )
}
