import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ClientSession } from 'mongodb'
import type { Parts } from '../context.ts'
import { viewerInCookie } from './auth-hooks.ts'
import type { CookieJar } from './cookies.ts'
import { type RefreshToken, readRefreshToken, writeRefreshToken } from './refresh-token.ts'
import type { Turned } from './store.ts'

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
  { cookies, sessions, devices }: Pick<Parts, 'cookies' | 'sessions' | 'devices'>,
  transaction: ClientSession,
): Promise<Turned & { device: string }> {
  const carried = viewerInCookie(request, cookies)
  if (carried) await sessions.end(carried, transaction)
  const device = await devices.remember(account, cookies.device(request), transaction)
  return { ...(await sessions.create(account, request.client, transaction)), device }
}

/** Gives the client both tokens of a session, in cookies and nowhere else. */
export function handOver(
  request: FastifyRequest,
  reply: FastifyReply,
  cookies: CookieJar,
  { session, token }: Turned,
): void {
  const viewer = { account: session.account, session: session.id }
  // For the log: who has just logged in is who asks.
  request.viewer = viewer
  const access = request.server.accessTokens.sign(viewer, session.expiresAt)
  // Counted from the refresh, not from now: the contract's 30 days.
  const refreshAge = Math.max(0, Math.floor((session.expiresAt.getTime() - session.lastSeenAt.getTime()) / 1000))
  cookies.setSession(
    reply,
    { access: access.token, refresh: writeRefreshToken(token) },
    { access: access.maxAge, refresh: refreshAge },
  )
}
