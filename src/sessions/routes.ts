import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import type { ClientSession } from 'mongodb'
import { inSessionTurn } from '../database/keyed-mutex.ts'
import { withWriteDeadline } from '../http/deadline.ts'
import { PageQuery, pageFrom, positionOf } from '../http/pages.ts'
import { notFound, unauthenticated } from '../http/problems.ts'
import { NoContent } from '../http/responses.ts'
import type { SessionOwner } from './access-token.ts'
import { assertConfirmed } from './assert-confirmed.ts'
import { requireConfirmation, requireViewer } from './auth-hooks.ts'
import { answerLoggedIn } from './begin-session.ts'
import { viewLoggedIn, viewSession } from './current-session.ts'
import type { DeviceStore } from './devices.ts'
import { endCarried, endSession, logLogouts } from './end.ts'
import { setSessionCookies } from './issue.ts'
import { type LoginContext, logIn } from './log-in.ts'
import { carriedSessions, presentedRefreshTokens, presentedViewers } from './presented.ts'
import type { TokenRotation } from './refresh.ts'
import { LoggedIn, LoginBody, LogoutQuery, SessionPage, SessionParams } from './schema.ts'

type Context = LoginContext & {
  devices: Pick<DeviceStore, 'endTrust'>
  sessionRequestLimits: { refreshes: { isEmpty(account: string): boolean } }
  tokenRotation: TokenRotation
}

const tags = ['sessions']

export const sessionRoutes: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { cookies, credentials, devices, mutex, securityLog, sessionRequestLimits } = context
  const { sessions, tokenRotation, transact } = context

  /** Those of which the request has a live access token. @throws Problem `unauthenticated` if it has none */
  async function sessionsWithAccess(request: FastifyRequest): Promise<SessionOwner[]> {
    const live = await sessions.findNamed(await presentedViewers(request, cookies), [])
    if (live.length === 0) throw unauthenticated()
    return live
  }

  scope.post(
    '/session',
    {
      schema: { operationId: 'createSession', summary: 'Log in', tags, body: LoginBody, response: { 200: LoggedIn } },
      config: {
        responseHeaders: ['set-cookie'],
        problems: ['invalid-credentials', 'second-factor-required', 'rate-limited'],
        howToFindOut: 'You can log in again.',
      },
    },
    async (request, reply) => {
      const { issued, own } = await logIn(request, reply, request.body, context)
      return answerLoggedIn(request, reply, issued, context, own)
    },
  )

  scope.post(
    '/session/refresh',
    {
      schema: {
        operationId: 'refreshSession',
        summary: 'Refresh the session',
        description: 'Needs the refresh cookie, which sign-up and login set.',
        tags,
        response: { 200: LoggedIn },
      },
      config: {
        responseHeaders: ['set-cookie'],
        problems: ['unauthenticated'],
        limitedAs: 'refresh',
        howToFindOut: 'Repeat it within 10 seconds: a token that was replaced gets the same successor until then.',
      },
    },
    async (request, reply) => {
      const { isEmpty } = sessionRequestLimits.refreshes
      const presented = presentedRefreshTokens(request, cookies)
      if (presented.length === 0) throw unauthenticated()
      // One account's quota let the request pass: it must not serve another account that has none left.
      const allowed = presented.filter(({ account }) => !isEmpty(account.toHexString()))
      const { rotated, reused } = await withWriteDeadline(request, (deadline) =>
        tokenRotation.refresh(allowed.length > 0 ? allowed : presented, deadline),
      )
      // Even if the rest fails: the token is used up, and a client without its successor would trigger reuse detection.
      if (rotated) setSessionCookies(request, reply, cookies, rotated)
      for (const owner of reused) {
        const end = (transaction: ClientSession) =>
          endSession(owner, 'refresh-reused', request.client, context, transaction)
        await withWriteDeadline(request, (deadline) => mutex(owner.account, () => transact(end, deadline)))
        securityLog.record('authn_token_reuse', { request, account: owner.account })
      }
      // Cookies are not cleared: another tab may just have received newer ones.
      if (!rotated) throw unauthenticated()
      return viewLoggedIn(context, rotated.session)
    },
  )

  scope.delete(
    '/session',
    {
      schema: {
        operationId: 'endSession',
        summary: 'Log out',
        tags,
        querystring: LogoutQuery,
        response: { 204: NoContent },
      },
      config: {
        responseHeaders: ['set-cookie', 'clear-site-data'],
        problems: ['unauthenticated'],
        limitedAs: 'logout',
        howToFindOut: 'GET /v1/session shows whether the session has ended.',
      },
    },
    async (request, reply) => {
      const carried = await carriedSessions(request, cookies, sessions)
      const everywhere = request.query.everywhere === 'true' ? await sessionsWithAccess(request) : []
      let isDone = everywhere.length === 0
      const endIn = async (account: string, owners: readonly SessionOwner[], transaction: ClientSession) => {
        let hasEndedAll = false
        for (const { session } of everywhere.filter((owner) => owner.account === account)) {
          const { outcome } = await sessions.touch({ account, session }, transaction)
          // Not of a session that another request has ended since: a thief's would end the owner's.
          if (outcome === 'not-found') continue
          hasEndedAll = true
          await sessions.endAll(account, transaction, session)
          // A login whose commit is late must not add a session afterwards.
          await credentials.touch(account, transaction)
          // A lost device, or a thief's, must not log in again with the password alone.
          await devices.endTrust(account, transaction)
        }
        return { ended: await endCarried(owners, request.client, context, transaction), hasEndedAll }
      }
      // Account by account: what waits for one, such as a thief's own, must not hold up another.
      for (const [account, owners] of Map.groupBy(carried, (owner) => owner.account)) {
        const [{ session } = { session: '' }] = owners
        const { ended, hasEndedAll } = await withWriteDeadline(request, (deadline) =>
          inSessionTurn(mutex, { account, session }, () =>
            transact((transaction) => endIn(account, owners, transaction), deadline),
          ),
        )
        logLogouts(request, ended, securityLog)
        isDone ||= hasEndedAll
      }
      if (!isDone) throw unauthenticated()
      cookies.clearSession(reply)
      return reply.code(204).send()
    },
  )
}

export const ownSessionRoutes: FastifyPluginAsyncZod<Context> = async (scope, context) => {
  const { activity, cookies, credentials, devices, mutex, securityLog, sessions, transact } = context

  scope.get(
    '/sessions',
    {
      schema: {
        operationId: 'listSessions',
        summary: 'List your sessions',
        tags,
        querystring: PageQuery,
        response: { 200: SessionPage },
      },
    },
    async (request) => {
      const { account, session: current } = requireViewer(request)
      const list = `sessions:${account}`
      const position = positionOf(list, request.query)
      const found = await sessions.list(account, position)
      const { items, nextCursor } = pageFrom(list, position.limit, found, (session) => session.id)
      return { items: items.map((session) => viewSession(session, session.id === current)), nextCursor }
    },
  )

  const afterConfirm = {
    preHandler: requireConfirmation(context),
    config: {
      countsForSession: true,
      problems: ['confirmation-required'] as const,
      howToFindOut: 'GET /v1/sessions shows which sessions are live.',
    },
  }

  scope.delete(
    '/sessions',
    {
      ...afterConfirm,
      schema: {
        operationId: 'endOtherSessions',
        summary: 'End all other sessions',
        description: 'Also ends the trust of all other devices.',
        tags,
        response: { 204: NoContent },
      },
    },
    async (request, reply) => {
      const viewer = requireViewer(request)
      const { account, session } = viewer
      const endOthers = async (transaction: ClientSession) => {
        const { count } = await sessions.endAll(account, transaction, session)
        await assertConfirmed(viewer, sessions, transaction)
        // A login whose commit is late must not add a session afterwards.
        await credentials.touch(account, transaction)
        await devices.endTrust(account, transaction, cookies.device(request))
        if (count > 0) await activity.record(account, 'session-revoked', request.client, transaction)
        return count
      }
      const count = await withWriteDeadline(request, (deadline) =>
        inSessionTurn(mutex, viewer, () => transact(endOthers, deadline)),
      )
      if (count > 0) securityLog.record('session_expired', { request, detail: { reason: 'revoked', count } })
      return reply.code(204).send()
    },
  )

  scope.delete(
    '/sessions/:id',
    {
      ...afterConfirm,
      schema: {
        operationId: 'endSessionById',
        summary: 'End a session',
        tags,
        params: SessionParams,
        response: { 204: NoContent },
      },
    },
    async (request, reply) => {
      const viewer = requireViewer(request)
      const { account, session: current } = viewer
      const { id } = request.params
      const end = async (transaction: ClientSession) => {
        await assertConfirmed(viewer, sessions, transaction)
        const target = { account, session: id }
        const { outcome } = await endSession(target, 'session-revoked', request.client, context, transaction)
        if (outcome === 'not-found') throw notFound()
      }
      await withWriteDeadline(request, (deadline) => inSessionTurn(mutex, viewer, () => transact(end, deadline)))
      securityLog.record('session_expired', { request, detail: { reason: 'revoked', count: 1 } })
      if (id === current) cookies.clearSession(reply)
      return reply.code(204).send()
    },
  )
}
