import type { FastifyRequest } from 'fastify'
import type { Viewer } from './access-token.ts'
import type { SessionCookies } from './cookies.ts'
import { parseRefreshToken, type RefreshToken } from './refresh-token.ts'

/** A request may have hundreds of cookies with one name. Of those that look like ours, so many are verified. */
export const maxVerified = 8

/** What the cookies of a request name, in the order in which it counts. Usually it is one session. */
export type Presented = { viewers: Viewer[]; refreshTokens: RefreshToken[] }

/**
 * The access cookies with a valid token, one of each session: a copy from before a confirmation must not hide the newer one.
 * Call it outside transactions: a token with an unknown key waits for it.
 */
export async function presentedViewers(request: FastifyRequest, cookies: SessionCookies): Promise<Viewer[]> {
  const { accessTokens, securityLog } = request.server
  const tokens = cookies.access(request).filter(accessTokens.isPlausible).slice(0, maxVerified)
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

export function presentedRefreshTokens(request: FastifyRequest, cookies: SessionCookies): RefreshToken[] {
  return cookies
    .refresh(request)
    .flatMap((text) => parseRefreshToken(text) ?? [])
    .slice(0, maxVerified)
}

/** Call it outside transactions, as `presentedViewers`. */
export async function presentedSessions(request: FastifyRequest, cookies: SessionCookies): Promise<Presented> {
  return {
    viewers: await presentedViewers(request, cookies),
    refreshTokens: presentedRefreshTokens(request, cookies),
  }
}
