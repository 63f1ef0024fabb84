import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ClientSession } from 'mongodb'
import { addressOf } from '../limits/address.ts'
import type { CookieJar } from './cookies.ts'
import type { DeviceStore } from './devices.ts'
import { type RefreshToken, readRefreshToken, writeRefreshToken } from './refresh-token.ts'
import { viewerInCookie } from './scope.ts'
import type { Origin, SessionStore, Turned } from './store.ts'

/** Where a request comes from, as a session keeps it. */
const originOf = (request: FastifyRequest): Origin => ({
  ip: addressOf(request),
  userAgent: (request.headers['user-agent'] ?? '').slice(0, 256),
})

/** The refresh token that a request to /v1/session* carries, if it can be one. */
export function shownRefreshToken(request: FastifyRequest, cookies: CookieJar): RefreshToken | undefined {
  const text = cookies.refresh(request)
  return text === undefined ? undefined : readRefreshToken(text)
}

/**
 * Begins a session inside the transaction that proves the account's right to it, and ends the one that the request
 * carried: a browser has one session at a time.
 */
export async function beginSession(
  request: FastifyRequest,
  account: string,
  { cookies, sessions, devices }: { cookies: CookieJar; sessions: SessionStore; devices: DeviceStore },
  transaction: ClientSession,
): Promise<Turned & { device: string }> {
  const carried = viewerInCookie(request, cookies)
  if (carried) await sessions.end(carried, transaction)
  const device = await devices.remember(account, cookies.device(request), transaction)
  return { ...(await sessions.create(account, originOf(request), transaction)), device }
}

/** Gives the client both tokens of a session, in cookies and nowhere else. */
export function handOver(
  request: FastifyRequest,
  reply: FastifyReply,
  cookies: CookieJar,
  { session, token }: Turned,
): void {
  // For the log: who has just logged in is who asks.
  request.session = session
  const viewer = { account: session.account, session: session.id }
  const access = request.server.accessTokens.sign(viewer, session.expiresAt)
  // From when it was refreshed, so that the cookie says what the contract does: what has passed since is no matter.
  const refreshAge = Math.max(0, Math.floor((session.expiresAt.getTime() - session.lastSeenAt.getTime()) / 1000))
  cookies.setSession(
    reply,
    { access: access.token, refresh: writeRefreshToken(token) },
    { access: access.maxAge, refresh: refreshAge },
  )
}
