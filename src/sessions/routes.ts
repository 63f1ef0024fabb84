import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { viewAccount } from '../accounts/view.ts'
import { newId } from '../database/ids.ts'
import { inTurn } from '../http/deadline.ts'
import { NoContent } from '../http/document.ts'
import { PageQuery, pageFrom, pageOf, positionOf } from '../http/pages.ts'
import { notFound, Problem } from '../http/problems.ts'
import type { Parts } from '../parts.ts'
import { beginSession, handOver, shownRefreshToken } from './begin.ts'
import { ConfirmBody, LoggedIn, LoginBody, SessionParams, SessionView } from './schema.ts'
import { member, requireConfirmation, unauthenticated, viewerInCookie } from './scope.ts'
import type { Session } from './store.ts'

type Options = Pick<Parts, 'accounts' | 'cookies' | 'credentials' | 'devices' | 'passwords' | 'sessions' | 'transact'>

const invalidCredentials = () => new Problem('invalid-credentials', 'The name or the password is wrong.')

const viewSession = ({ account: _, ...session }: Session, current: boolean) => ({ ...session, current })

/** What every request answers that begins, shows or goes on with a session. */
async function loggedIn({ accounts }: Options, session: Session) {
  const account = await accounts.find(session.account)
  if (!account) throw unauthenticated()
  return { account: viewAccount(account, session.account), session: viewSession(session, true) }
}

/** Logging in, going on and logging out: what needs no session to begin with. */
export const sessionEntry: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { accounts, cookies, credentials, passwords, sessions, transact } = parts

  scope.post(
    '/session',
    {
      schema: { summary: 'Log in', tags: ['sessions'], body: LoginBody, response: { 200: LoggedIn } },
      config: { problems: ['invalid-credentials'] },
    },
    async (request, reply) => {
      const { username, password } = request.body
      const account = await accounts.idOf(username)
      const credential = await credentials.find(account ?? newId())
      const { matches, rehashed } = await inTurn(request, reply, (signal) =>
        passwords.verify(password, account, credential, signal),
      )
      if (account === undefined || credential === null || !matches) throw invalidCredentials()
      const begun = await transact(async (transaction) => {
        const same = await credentials.noteLogin(account, credential.version, { at: new Date(), rehashed }, transaction)
        if (!same) throw invalidCredentials()
        const shown = shownRefreshToken(request, cookies)
        if (shown) await sessions.endByToken(shown, transaction)
        return beginSession(request, account, parts, transaction)
      })
      handOver(request, reply, cookies, begun)
      cookies.setDevice(reply, begun.device)
      return loggedIn(parts, begun.session)
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
      const begun = shown && (await sessions.refresh(shown))
      // No cookie is cleared: who lost a race against another tab keeps what that tab was given.
      if (!begun) throw unauthenticated()
      handOver(request, reply, cookies, begun)
      return loggedIn(parts, begun.session)
    },
  )

  scope.delete(
    '/session',
    { schema: { summary: 'Log out', tags: ['sessions'], response: { 204: NoContent } } },
    async (request, reply) => {
      const viewer = viewerInCookie(request, cookies)
      const shown = shownRefreshToken(request, cookies)
      if (viewer) await sessions.end(viewer)
      if (shown) await sessions.endByToken(shown)
      cookies.clearSession(reply)
      return reply.code(204).send()
    },
  )
}

/** One's own sessions. */
export const ownSessions: FastifyPluginAsyncZod<Options> = async (scope, parts) => {
  const { cookies, credentials, passwords, sessions } = parts

  scope.get(
    '/session',
    { schema: { summary: 'Who is logged in', tags: ['sessions'], response: { 200: LoggedIn } } },
    async (request) => loggedIn(parts, member(request)),
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
      const { account, id } = member(request)
      const viewer = { account, session: id }
      const credential = await credentials.find(account)
      const left = await sessions.takeTry(viewer)
      if (left === undefined) throw invalidCredentials()
      const { matches } = await inTurn(request, reply, (signal) =>
        passwords.verify(request.body.password, account, credential, signal),
      ).catch(async (error) => {
        await sessions.giveTryBack(viewer)
        throw error
      })
      if (!matches && left === 0) await sessions.end(viewer)
      const begun = matches && (await sessions.confirm(viewer, shownRefreshToken(request, cookies)))
      // One answer for both: to a session that has ended nothing may tell the right password.
      if (!begun) throw invalidCredentials()
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
      const { account, id } = member(request)
      const list = `sessions:${account}`
      const position = positionOf(list, request.query)
      const found = await sessions.list(account, position)
      const { items, nextCursor } = pageFrom(list, position.limit, found, (session) => session.id)
      return { items: items.map((session) => viewSession(session, session.id === id)), nextCursor }
    },
  )

  const confirmed = { preHandler: requireConfirmation, config: { problems: ['confirmation-required'] as const } }

  scope.delete(
    '/sessions',
    { ...confirmed, schema: { summary: 'End all other sessions', tags: ['sessions'], response: { 204: NoContent } } },
    async (request, reply) => {
      const { account, id } = member(request)
      await sessions.endOthers({ account, session: id })
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
      const { account, id } = member(request)
      if (!(await sessions.end({ account, session: request.params.id }))) throw notFound()
      if (request.params.id === id) cookies.clearSession(reply)
      return reply.code(204).send()
    },
  )
}
