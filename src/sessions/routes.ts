import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { viewOwn } from '../accounts/view.ts'
import type { Parts } from '../context.ts'
import { PageQuery, pageFrom, pageOf, positionOf } from '../http/pages.ts'
import { notFound } from '../http/problems.ts'
import { NoContent } from '../http/responses.ts'
import { member, requireConfirmation, unauthenticated, viewerInCookie } from './auth-hooks.ts'
import { endSession } from './end.ts'
import { handOver, shownRefreshToken } from './issue.ts'
import { invalidCredentials, type LoginParts, logIn } from './log-in.ts'
import type { Session } from './model.ts'
import { withOwnPassword } from './reauthenticate.ts'
import { ConfirmBody, LoggedIn, LoginBody, SessionParams, SessionView } from './schema.ts'

type Options = LoginParts & Pick<Parts, 'turns'>

const viewSession = ({ account: _, ...session }: Session, current: boolean) => ({ ...session, current })

/** What every request answers that begins, shows or goes on with a session. */
async function loggedIn({ accounts }: Options, session: Session) {
  const account = await accounts.find(session.account)
  if (!account) throw unauthenticated()
  return { account: viewOwn(account), session: viewSession(session, true) }
}

/** Logging in, going on and logging out: what needs no session to begin with. */
export const sessionEntry: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { activity, cookies, sessions, transact, turns } = parts

  scope.post(
    '/session',
    {
      schema: { summary: 'Log in', tags: ['sessions'], body: LoginBody, response: { 200: LoggedIn } },
      config: { problems: ['invalid-credentials', 'rate-limited'] },
    },
    async (request, reply) => {
      const begun = await logIn(request, reply, request.body, parts)
      // Read first: an answer that fails must not log anybody in.
      const answer = await loggedIn(parts, begun.session)
      handOver(request, reply, cookies, begun)
      cookies.setDevice(reply, begun.device)
      return answer
    },
  )

  scope.post(
    '/session/refresh',
    {
      schema: {
        summary: 'Go on with a session: a new access and a new refresh token',
        tags: ['sessions'],
        response: { 200: LoggedIn },
      },
      config: { problems: ['unauthenticated'] },
    },
    async (request, reply) => {
      const shown = shownRefreshToken(request, cookies)
      const refreshed = shown && (await turns.refresh(shown))
      if (refreshed?.kind === 'reused') {
        const { viewer } = refreshed
        await transact((transaction) => endSession(viewer, 'refresh-reused', request.client, parts, transaction))
      }
      // No cookie is cleared: another tab may have just been given better ones.
      if (refreshed?.kind !== 'turned') throw unauthenticated()
      // Even if the rest fails: the turn is taken, and without its token the client would come to show an old one.
      handOver(request, reply, cookies, refreshed)
      return loggedIn(parts, refreshed.session)
    },
  )

  scope.delete(
    '/session',
    { schema: { summary: 'Log out', tags: ['sessions'], response: { 204: NoContent } } },
    async (request, reply) => {
      const viewer = viewerInCookie(request, cookies)
      const shown = shownRefreshToken(request, cookies)
      if (viewer || shown) {
        await transact(async (transaction) => {
          if (viewer) await endSession(viewer, 'logout', request.client, parts, transaction)
          // Usually the same session again; if a browser came to carry two, neither may go on.
          const other = shown && (await sessions.endByToken(shown, transaction))
          if (other !== undefined) await activity.record(other, 'logout', request.client, transaction)
        })
      }
      cookies.clearSession(reply)
      return reply.code(204).send()
    },
  )
}

/** One's own sessions. */
export const ownSessions: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { activity, cookies, sessions, transact, turns } = parts

  scope.get(
    '/session',
    { schema: { summary: 'Who is logged in', tags: ['sessions'], response: { 200: LoggedIn } } },
    async (request) => {
      const session = await sessions.find(member(request))
      if (!session) throw unauthenticated()
      return loggedIn(parts, session)
    },
  )

  scope.post(
    '/session/confirm',
    {
      schema: {
        summary: 'Give the password again: for 10 minutes dangerous acts are allowed',
        tags: ['sessions'],
        body: ConfirmBody,
        response: { 200: LoggedIn },
      },
      config: { problems: ['invalid-credentials'] },
    },
    async (request, reply) => {
      const viewer = member(request)
      const { password } = request.body
      const begun = await withOwnPassword(request, reply, password, parts, ({ oneTime }) => {
        // It is for choosing another, and for nothing else.
        if (oneTime) throw invalidCredentials()
        return transact(async (transaction) => {
          const confirmed = await turns.confirm(viewer, shownRefreshToken(request, cookies), transaction)
          // One answer for all: to a session that has ended nothing may tell the right password.
          if (!confirmed) throw invalidCredentials()
          if (confirmed.kind === 'reused') {
            await endSession(viewer, 'refresh-reused', request.client, parts, transaction)
            return undefined
          }
          await activity.record(viewer.account, 'session-confirmed', request.client, transaction)
          return confirmed
        })
      })
      if (!begun) throw unauthenticated()
      handOver(request, reply, cookies, begun)
      return loggedIn(parts, begun.session)
    },
  )

  scope.get(
    '/sessions',
    {
      schema: {
        summary: 'List one’s own live sessions',
        tags: ['sessions'],
        querystring: PageQuery,
        response: { 200: pageOf(SessionView) },
      },
    },
    async (request) => {
      const { account, session: current } = member(request)
      const list = `sessions:${account}`
      const position = positionOf(list, request.query)
      const found = await sessions.list(account, position)
      const { items, nextCursor } = pageFrom(list, position.limit, found, (session) => session.id)
      return { items: items.map((session) => viewSession(session, session.id === current)), nextCursor }
    },
  )

  const confirmed = {
    preHandler: requireConfirmation(parts),
    config: { problems: ['confirmation-required'] as const },
  }

  scope.delete(
    '/sessions',
    { ...confirmed, schema: { summary: 'End all other sessions', tags: ['sessions'], response: { 204: NoContent } } },
    async (request, reply) => {
      const { account, session } = member(request)
      await transact(async (transaction) => {
        if ((await sessions.endAll(account, transaction, session)) === 0) return
        await activity.record(account, 'session-revoked', request.client, transaction)
      })
      return reply.code(204).send()
    },
  )

  scope.delete(
    '/sessions/:id',
    {
      ...confirmed,
      schema: { summary: 'End a session', tags: ['sessions'], params: SessionParams, response: { 204: NoContent } },
    },
    async (request, reply) => {
      const { account, session: current } = member(request)
      const { id } = request.params
      await transact(async (transaction) => {
        const ended = { account, session: id }
        if (!(await endSession(ended, 'session-revoked', request.client, parts, transaction))) throw notFound()
      })
      if (id === current) cookies.clearSession(reply)
      return reply.code(204).send()
    },
  )
}
