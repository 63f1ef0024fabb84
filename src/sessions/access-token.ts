import { createHmac } from 'node:crypto'
import jwt from '@fastify/jwt'
import fp from 'fastify-plugin'
import { z } from 'zod'
import { Id } from '../http/wire-types.ts'

export const maxAccessTokenSeconds = 900
/** The largest tolerated difference between the clocks of two servers. */
export const clockSkewSeconds = 60
const maxVerifiedTokens = 10_000

export type Viewer = { account: string; session: string }

declare module 'fastify' {
  interface FastifyInstance {
    accessTokens: {
      /** The token expires at `endsAt`, or after 900 s. @returns `maxAge` in seconds. */
      sign(viewer: Viewer, endsAt: Date): { token: string; maxAge: number }
      read(token: string): Viewer | undefined
    }
  }
}

// Strict: a member that this server does not write means that the token was forged, and `jku`, `jwk`, `x5u` or `crit`
// would tell the verifier how to verify it (RFC 8725, 3.10).
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

/** JWTs (RFC 7519) without personal data. `request.jwtVerify()` also reads the Authorization header, and is slower. */
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

  // A lookup in the verifier's own cache (`cache` of fast-jwt) takes three times as long.
  const verified = new Map<string, { viewer: Viewer; exp: number }>()

  function verify(token: string): { viewer: Viewer; exp: number } | undefined {
    try {
      const { header, payload } = Verified.parse(app.jwt.verify(token))
      if (header.kid !== kid) return undefined
      // Revocations are kept for this long only: see revocation-cache.ts.
      if (payload.exp > payload.iat + maxAccessTokenSeconds) return undefined
      if (payload.iat > Date.now() / 1_000 + clockSkewSeconds) return undefined
      const entry = { viewer: { account: payload.sub, session: payload.sid }, exp: payload.exp }
      if (verified.size >= maxVerifiedTokens) verified.clear()
      verified.set(token, entry)
      return entry
    } catch {
      return undefined
    }
  }

  app.decorate('accessTokens', {
    sign({ account, session }, endsAt) {
      const now = Math.floor(Date.now() / 1_000)
      const maxAge = Math.max(0, Math.min(maxAccessTokenSeconds, Math.floor(endsAt.getTime() / 1_000) - now))
      return { token: app.jwt.sign({ sub: account, sid: session, iat: now, exp: now + maxAge }), maxAge }
    },
    read(token) {
      const entry = verified.get(token) ?? verify(token)
      return entry === undefined || entry.exp * 1_000 <= Date.now() ? undefined : entry.viewer
    },
  })
})
