import type { CookieSerializeOptions } from '@fastify/cookie'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { cookieValues, hasCookie } from '../http/cookie-header.ts'
import { challengeSeconds } from './challenges.ts'

const deviceMaxAgeSeconds = 400 * 86_400
/** Of a device; all others are longer. */
const minLength = 43

export type ChallengeCookie = 'passkey' | 'second-factor'

// Not "cookies": that would delete the known device, and the cookies of all subdomains of our registered domain.
const clearedSiteData = '"cache", "storage"'

export function sessionCookies(secure: boolean) {
  // Browsers refuse a cookie with the __Host- prefix that another host or path has set (RFC 6265bis, 4.1.3.2).
  const name = (plain: string) => (secure ? `__Host-${plain}` : plain)
  const access = name('session')
  const refresh = name('refresh')
  const device = name('device')
  const challenges = { passkey: name('passkey'), 'second-factor': name('second-factor') } as const
  const lax: CookieSerializeOptions = { path: '/', httpOnly: true, secure, sameSite: 'lax' }
  const strict: CookieSerializeOptions = { ...lax, sameSite: 'strict' }
  /** With `Expires`, because Java's CookieManager takes a cookie that has only `Max-Age` for one of RFC 2965. */
  const lasting = (maxAge: number) => ({ maxAge, expires: new Date(Date.now() + maxAge * 1_000) })
  /** The last first: browsers send longer paths first, and one for each domain and path (RFC 6265, 5.4). */
  const values = ({ headers }: FastifyRequest, name: string) => [
    ...new Set(cookieValues(headers.cookie, name, minLength).reverse()),
  ]
  return {
    accessName: access,
    /** Whatever it is. */
    hasAccess: ({ headers }: FastifyRequest) => hasCookie(headers.cookie, access),
    /** In the order in which they count. */
    access: (request: FastifyRequest) => values(request, access),
    refresh: (request: FastifyRequest) => values(request, refresh),
    device: (request: FastifyRequest) => values(request, device),
    /** Of a ceremony that this browser has begun: see challenges.ts. */
    challenge: (request: FastifyRequest, of: ChallengeCookie) => values(request, challenges[of]),

    /** @param maxAge - the lifetimes, in seconds. */
    setSession(
      reply: FastifyReply,
      tokens: { access: string; refresh: string },
      maxAge: { access: number; refresh: number },
    ) {
      reply.setCookie(access, tokens.access, { ...lax, ...lasting(maxAge.access) })
      reply.setCookie(refresh, tokens.refresh, { ...strict, ...lasting(maxAge.refresh) })
    },
    setDevice(reply: FastifyReply, token: string) {
      reply.setCookie(device, token, { ...strict, ...lasting(deviceMaxAgeSeconds) })
    },
    setChallenge(reply: FastifyReply, of: ChallengeCookie, token: string) {
      reply.setCookie(challenges[of], token, { ...strict, ...lasting(challengeSeconds) })
    },
    clearChallenge(reply: FastifyReply, of: ChallengeCookie) {
      reply.clearCookie(challenges[of], strict)
    },
    clearSession(reply: FastifyReply) {
      reply.header('clear-site-data', clearedSiteData)
      reply.clearCookie(access, lax)
      reply.clearCookie(refresh, strict)
    },
    clearDevice(reply: FastifyReply) {
      reply.clearCookie(device, strict)
    },
  }
}

export type SessionCookies = ReturnType<typeof sessionCookies>
