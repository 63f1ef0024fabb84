import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Parts } from '../context.ts'
import { Problem } from '../http/problems.ts'
import type { Viewer } from './access-token.ts'
import type { CookieJar } from './cookies.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Who asks, or has just logged in: set by a scope, or when tokens are handed over. */
    viewer: Viewer | null
  }
}

type ScopeOptions = Pick<Parts, 'cookies' | 'feed' | 'lastSeen' | 'revocations' | 'sessions'>

/** Whom the access cookie names, if it is one of ours; whether the session still lives is not asked. */
export function viewerInCookie(request: FastifyRequest, cookies: CookieJar): Viewer | undefined {
  const token = cookies.access(request)
  return token === undefined ? undefined : request.server.accessTokens.read(token)
}

/**
 * Who asks, in a session that lives. The database is not read for it as long as this process hears of every session
 * that ends: see revocations.ts.
 */
async function liveViewer(request: FastifyRequest, parts: ScopeOptions): Promise<Viewer | null> {
  const { cookies, feed, lastSeen, revocations, sessions } = parts
  const viewer = viewerInCookie(request, cookies)
  if (!viewer) return null
  feed.asked()
  const known = revocations.isLive(viewer.session)
  const lives = known === undefined ? (await sessions.find(viewer)) !== undefined : known
  if (!lives) return null
  lastSeen.note(viewer.session)
  return viewer
}

/** For what everyone may read: the viewer is known if the cookie is good, and nobody if not. */
export const viewerIfAny = fp<ScopeOptions>(async (scope, parts) => {
  scope.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'private, no-cache', vary: 'Cookie' })
    if (parts.cookies.access(request) === undefined) return
    request.viewer = await liveViewer(request, parts)
    if (request.viewer === null) reply.header('rookery-session', 'invalid')
  })
})

/** For members: without a live session nothing goes on. */
export const requireSession = fp<ScopeOptions>(async (scope, parts) => {
  scope.addHook('onRequest', async (request) => {
    request.viewer = await liveViewer(request, parts)
    if (request.viewer === null) throw unauthenticated()
  })
  // A body may take 30 seconds to come, and the session may have ended meanwhile.
  scope.addHook('preValidation', async (request) => {
    if (request.body === undefined || parts.revocations.isLive(member(request).session)) return
    request.viewer = await liveViewer(request, parts)
    if (request.viewer === null) throw unauthenticated()
  })
  scope.addHook('onRoute', (route) => {
    if (route.schema) route.schema.security = [{ session: [] }]
  })
})

export const unauthenticated = () => new Problem('unauthenticated', 'Log in first: POST /v1/session.')

/** Who makes a member's request. */
export function member(request: FastifyRequest): Viewer {
  if (request.viewer === null) throw unauthenticated()
  return request.viewer
}

/** The account that reads, if any. */
export const viewerOf = (request: FastifyRequest): string | undefined => request.viewer?.account

/** For dangerous acts: a hook that wants the password to have been given again within the last 10 minutes. */
export function requireConfirmation({ sessions }: Pick<Parts, 'sessions'>) {
  return async (request: FastifyRequest): Promise<void> => {
    const session = await sessions.find(member(request))
    if (!session) throw unauthenticated()
    if (session.confirmedUntil === null) {
      throw new Problem('confirmation-required', 'Give the password again first: POST /v1/session/confirm.')
    }
  }
}
