import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Problem, unauthenticated } from '../http/problems.ts'
import type { Viewer } from './access-token.ts'
import type { SessionCookies } from './cookies.ts'
import type { LastSeen } from './last-seen.ts'
import { presentedViewers } from './presented.ts'
import type { RevocationCache } from './revocation-cache.ts'
import type { RevocationFeed } from './revocation-feed.ts'
import type { KnownSession, SessionOwners } from './session-owners.ts'
import type { SessionStore } from './store.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The session that the request belongs to: set by the hooks here, or when a session is issued. */
    viewer: LiveViewer | null
  }
}

/** @property passwordChangeRequired - a one-time password began the session */
export type LiveViewer = Viewer & Partial<KnownSession>

type AuthContext = {
  cookies: SessionCookies
  feed: RevocationFeed
  lastSeen: LastSeen
  revocations: RevocationCache
  sessionOwners: SessionOwners
}

async function liveViewer(request: FastifyRequest, context: AuthContext): Promise<LiveViewer | null> {
  for (const viewer of await presentedViewers(request, context.cookies)) {
    const known = await findLive(request, viewer, context)
    if (!known) continue
    context.lastSeen.note(viewer.session)
    return { ...viewer, ...known }
  }
  return null
}

/** The database is queried only while this process may have missed a revocation: see revocation-cache.ts. */
async function findLive(request: FastifyRequest, viewer: Viewer, context: AuthContext) {
  const { feed, revocations } = context
  feed.noteUse()
  const isLive = revocations.isLive(viewer.session) ?? (await revocations.readIsLive(viewer.session))
  return isLive ? findOwned(request, viewer, context) : undefined
}

/** A stolen sign key signs any pair of account and session, so a pair is looked up when it is first seen. */
async function findOwned(
  request: FastifyRequest,
  viewer: Viewer,
  { revocations, sessionOwners }: AuthContext,
): Promise<KnownSession | undefined> {
  const known = sessionOwners.recall(viewer) ?? (await sessionOwners.lookUp(viewer))
  if (known) return known
  // Not one that has just ended, which is harmless, but this process has not heard of yet.
  if (await revocations.readIsLive(viewer.session)) {
    const { account, session } = viewer
    request.log.warn({ account, session }, 'access token with a valid signature names a session that does not exist')
    request.server.securityLog.record('authn_token_forged', { request, detail: { reason: 'unknown-session' } })
  }
  return undefined
}

/** For public reads: an invalid cookie counts as none. */
export const optionalSession = fp<AuthContext>(async (scope, context) => {
  scope.addHook('onRoute', (route) => {
    if (route.schema) route.schema.security = [{}, { session: [] }]
    route.config = { ...route.config, responseHeaders: [...(route.config?.responseHeaders ?? []), 'rookery-session'] }
  })
  scope.addHook('onRequest', async (request, reply) => {
    reply.headers({ 'cache-control': 'private, no-cache', vary: 'Cookie' })
    if (!context.cookies.hasAccess(request)) return
    request.viewer = await liveViewer(request, context)
    if (request.viewer === null) reply.header('rookery-session', 'invalid')
    // Valid, but it may read only itself.
    else if (request.viewer.passwordChangeRequired) request.viewer = null
  })
})

export const requireSession = fp<AuthContext>(async (scope, context) => {
  scope.addHook('onRequest', async (request) => {
    request.viewer = await liveViewer(request, context)
    if (request.viewer === null) throw unauthenticated()
  })
  // A body may take 30 seconds to arrive, and the session may have ended since.
  scope.addHook('preValidation', async (request) => {
    const { session } = requireViewer(request)
    if (request.body === undefined || context.revocations.isLive(session)) return
    request.viewer = await liveViewer(request, context)
    // Another cookie's session may be live, and be another account's.
    if (request.viewer?.session !== session) throw unauthenticated()
  })
  scope.addHook('onRoute', (route) => {
    if (route.schema) route.schema.security = [{ session: [] }]
  })
})

/** After `requireSession`, for all but what a session that a one-time password began may do. */
export const requireChosenPassword = fp(async (scope) => {
  scope.addHook('onRequest', async (request) => {
    if (!requireViewer(request).passwordChangeRequired) return
    throw new Problem('password-change-required', 'Choose a password of your own first: PUT /v1/account/password.')
  })
  scope.addHook('onRoute', (route) => {
    const { problems = [], ...config } = route.config ?? {}
    route.config = { ...config, problems: [...problems, 'password-change-required'] }
  })
})

/** @throws Problem `unauthenticated` when the request has no session */
export function requireViewer(request: FastifyRequest): LiveViewer {
  if (request.viewer === null) throw unauthenticated()
  return request.viewer
}

export const viewerOf = (request: FastifyRequest): string | undefined => request.viewer?.account

export const confirmationRequired = () =>
  new Problem('confirmation-required', 'Confirm the session first: POST /v1/session/confirm.')

/** For dangerous actions: a hook that requires the session to have been confirmed within the last 10 minutes. */
export function requireConfirmation({ sessions }: { sessions: Pick<SessionStore, 'find' | 'isConfirmed'> }) {
  return async (request: FastifyRequest): Promise<void> => {
    const viewer = requireViewer(request)
    // In this order: of a session that has just ended, it must not be said that it lacks a confirmation.
    const isConfirmed = await sessions.isConfirmed(viewer)
    if (!(await sessions.find(viewer))) throw unauthenticated()
    if (!isConfirmed) throw confirmationRequired()
  }
}
