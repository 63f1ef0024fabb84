import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from '../http/problems.ts'
import type { Viewer } from './access-token.ts'
import type { CookieJar } from './cookies.ts'
import type { Session, SessionStore } from './store.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The live session a request is made in, or has begun: set by a scope, or when tokens are handed over. */
    session: Session | null
  }
}

type ScopeOptions = { cookies: CookieJar; sessions: SessionStore }

/** Whom the access cookie names, if it is one of ours; whether the session still lives is not asked. */
export function viewerInCookie(request: FastifyRequest, cookies: CookieJar): Viewer | undefined {
  const token = cookies.access(request)
  return token === undefined ? undefined : request.server.accessTokens.read(token)
}

async function liveSession(request: FastifyRequest, { cookies, sessions }: ScopeOptions) {
  const viewer = viewerInCookie(request, cookies)
  return viewer && (await sessions.findLive(viewer))
}

/** For what everyone may read: the viewer is known if the cookie is good, and nobody if not. */
export const viewerIfAny = fp<ScopeOptions>(async (scope, options) => {
  scope.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'private, no-cache', vary: 'Cookie' })
    if (options.cookies.access(request) === undefined) return
    request.session = (await liveSession(request, options)) ?? null
    if (request.session === null) reply.header('rookery-session', 'invalid')
  })
})

/** For members: without a live session nothing goes on. */
export const requireSession = fp<ScopeOptions>(async (scope, options) => {
  scope.addHook('onRequest', async (request) => {
    request.session = (await liveSession(request, options)) ?? null
    if (request.session === null) throw unauthenticated()
  })
  scope.addHook('onRoute', (route) => {
    if (route.schema) route.schema.security = [{ session: [] }]
  })
})

export const unauthenticated = () => new Problem('unauthenticated', 'Log in first: POST /v1/session.')

/** The session of a member's request. */
export function member(request: FastifyRequest): Session {
  if (request.session === null) throw unauthenticated()
  return request.session
}

/** The account that reads, if any. */
export const viewerOf = (request: FastifyRequest): string | undefined => request.session?.account

/** For dangerous acts: the password must have been given again within the last 10 minutes. */
export async function requireConfirmation(request: FastifyRequest): Promise<void> {
  if (member(request).confirmedUntil === null) {
    throw new Problem('confirmation-required', 'Give the password again first: POST /v1/session/confirm.')
  }
}
