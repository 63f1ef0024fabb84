import { createHmac } from 'node:crypto'
import jwt from '@fastify/jwt'
import fp from 'fastify-plugin'
import { z } from 'zod'
import { Id } from '../http/wire-types.ts'

/** How long an access token lives at most, in seconds. */
export const longestLife = 900
/** How much the clocks of our machines may differ, in seconds. */
export const clockSkew = 60
/** The most tokens that are remembered as verified: some 5 MB. */
const mostVerified = 10_000

/** Who asks, and in which session. */
export type Viewer = { account: string; session: string }

declare module 'fastify' {
  interface FastifyInstance {
    accessTokens: {
      /** @param endsAt - when the session ends; the token never lives longer, and 900 seconds at most. */
      sign(viewer: Viewer, endsAt: Date): { token: string; maxAge: number }
      /** Whom a token names, or undefined when it is not one of ours or no longer good. */
      read(token: string): Viewer | undefined
    }
  }
}

// Nothing else: a member that we do not write means somebody else made the token, and `jku`, `jwk`, `x5u` or `crit`
// would say how to verify it (RFC 8725, 3.10).
const Verified = z.object({
  header: z.strictObject({ alg: z.literal('HS256'), typ: z.literal('rookery+jwt'), kid: z.string() }),
  payload: z.strictObject({
    iss: z.literal('rookery'),
    aud: z.literal('rookery'),
    sub: Id,
    sid: Id,
    iat: z.int(),
    exp: z.int(),
  }),
})

/**
 * Access tokens: JWTs (RFC 7519) that say who and until when, and nothing about the person. `app.jwt.verify` and not
 * `request.jwtVerify()`, which also reads the Authorization header and is three times slower.
 */
export const accessTokens = fp<{ signKey: string }>(async (app, { signKey }) => {
  const kid = createHmac('sha256', signKey).update('kid').digest('base64url').slice(0, 8)
  await app.register(jwt, {
    secret: signKey,
    sign: { algorithm: 'HS256', iss: 'rookery', aud: 'rookery', kid, header: { alg: 'HS256', typ: 'rookery+jwt' } },
    verify: {
      algorithms: ['HS256'],
      allowedIss: 'rookery',
      allowedAud: 'rookery',
      checkTyp: 'rookery+jwt',
      requiredClaims: ['iss', 'aud', 'sub', 'sid', 'iat', 'exp'],
      complete: true,
    },
  })

  // Of tokens that were verified; what the verifier itself can remember costs three times as much to ask.
  const verified = new Map<string, { viewer: Viewer; exp: number }>()

  function verify(token: string): { viewer: Viewer; exp: number } | undefined {
    try {
      const { header, payload } = Verified.parse(app.jwt.verify(token))
      if (header.kid !== kid) return undefined
      // A revocation is remembered for as long as this, and no longer.
      if (payload.exp > payload.iat + longestLife || payload.iat > Date.now() / 1_000 + clockSkew) return undefined
      const known = { viewer: { account: payload.sub, session: payload.sid }, exp: payload.exp }
      if (verified.size >= mostVerified) verified.clear()
      verified.set(token, known)
      return known
    } catch {
      return undefined
    }
  }

  app.decorate('accessTokens', {
    sign({ account, session }, endsAt) {
      const now = Math.floor(Date.now() / 1000)
      const maxAge = Math.max(0, Math.min(longestLife, Math.floor(endsAt.getTime() / 1000) - now))
      return { token: app.jwt.sign({ sub: account, sid: session, iat: now, exp: now + maxAge }), maxAge }
    },
    read(token) {
      const known = verified.get(token) ?? verify(token)
      return known === undefined || known.exp * 1000 <= Date.now() ? undefined : known.viewer
    },
  })
})
