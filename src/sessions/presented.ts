import type { FastifyRequest } from 'fastify'
import type { SessionOwner, Viewer } from './access-token.ts'
import type { SessionCookies } from './cookies.ts'
import { parseRefreshToken, type RefreshToken } from './refresh-token.ts'
import type { SessionStore } from './store.ts'

/** A request may have hundreds of cookies with one name. Of those that look like ours, so many are verified. */
export const maxVerified = 8
/** Of the access cookies with the form of ours, so many are decoded to find them. */
const maxDecoded = 2 * maxVerified

/** The access cookies that can be verified at a bearable cost. In the order in which they count. */
export function presentedAccessTokens(request: FastifyRequest, cookies: SessionCookies): string[] {
  const { accessTokens } = request.server
  const candidates = cookies.access(request).filter(accessTokens.hasForm).slice(0, maxDecoded)
  return candidates.filter(accessTokens.isPlausible).slice(0, maxVerified)
}

/** The newest of each session. Call it outside transactions: a token with an unknown key waits for that key. */
export async function presentedViewers(request: FastifyRequest, cookies: SessionCookies): Promise<Viewer[]> {
  const { accessTokens, securityLog } = request.server
  const tokens = presentedAccessTokens(request, cookies)
  const read = await Promise.all(tokens.map(accessTokens.readOrRefresh))
  if (tokens.some((token, n) => read[n] === undefined && accessTokens.isForged(token))) {
    securityLog.record('authn_token_forged', { request, detail: { reason: 'signature' } })
  }
  const newest = new Map<string, Viewer>()
  for (const viewer of read) {
    if (viewer === undefined) continue
    const known = newest.get(viewer.session)
    if (known === undefined || known.generation < viewer.generation) newest.set(viewer.session, viewer)
  }
  return [...newest.values()]
}

/** One by one: a header has room for 150 tokens, and to parse all of them takes as long as the rest of a refused refresh. */
export function presentedRefreshTokens(
  request: FastifyRequest,
  cookies: Pick<SessionCookies, 'refresh'>,
): RefreshToken[] {
  const tokens: RefreshToken[] = []
  for (const text of cookies.refresh(request)) {
    const token = parseRefreshToken(text)
    if (token) tokens.push(token)
    if (tokens.length === maxVerified) break
  }
  return tokens
}

/**
 * Every live session that a cookie names. Call it outside transactions, as `presentedViewers`: cookies that name none must not
 * cost one.
 */
export async function carriedSessions(
  request: FastifyRequest,
  cookies: SessionCookies,
  sessions: Pick<SessionStore, 'findNamed'>,
): Promise<SessionOwner[]> {
  return sessions.findNamed(await presentedViewers(request, cookies), presentedRefreshTokens(request, cookies))
}
