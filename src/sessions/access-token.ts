import { createHmac } from 'node:crypto'
import jwt from '@fastify/jwt'
import fp from 'fastify-plugin'
import { z } from 'zod'
import { Id } from '../http/values.ts'

const lifetime = 900

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

const Verified = z.object({
  header: z.object({ kid: z.string() }),
  payload: z.object({ sub: Id, sid: Id, iat: z.number(), exp: z.number() }),
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
      // Without `iat` fast-jwt's cache would go on accepting an expired token (GHSA-x937-hj6v-793p).
      requiredClaims: ['iss', 'aud', 'sub', 'sid', 'iat', 'exp'],
      cache: 10_000,
      complete: true,
    },
  })

  app.decorate('accessTokens', {
    sign({ account, session }, endsAt) {
      const now = Math.floor(Date.now() / 1000)
      const maxAge = Math.max(0, Math.min(lifetime, Math.floor(endsAt.getTime() / 1000) - now))
      return { token: app.jwt.sign({ sub: account, sid: session, iat: now, exp: now + maxAge }), maxAge }
    },
    read(token) {
      try {
        const { header, payload } = Verified.parse(app.jwt.verify(token))
        // Checked on every hit: the verifier's cache answers for tokens it has seen.
        if (header.kid !== kid || payload.exp * 1000 <= Date.now()) return undefined
        return { account: payload.sub, session: payload.sid }
      } catch {
        return undefined
      }
    },
  })
})
