import jwt from '@fastify/jwt'
import fp from 'fastify-plugin'
import { z } from 'zod'
import { Id } from '../http/wire-types.ts'
import { recentMap } from '../limits/recent-map.ts'
import { kidForm, type LiveKeys, signingKey } from '../secrets/key-ring.ts'
import { type JwtKey, jwtKeysOf, registeredSecret } from './jwt-keys.ts'
import { boundedWait } from './key-refresh.ts'

export const maxAccessTokenSeconds = 900
/** The largest tolerated difference between the clocks of two servers. */
export const clockSkewSeconds = 60
const maxVerifiedTokens = 10_000
/** Of a few requests. */
const maxDecodedTokens = 100

export type SessionOwner = { account: string; session: string }

/** @property generation - the session's when the token was issued: see model.ts */
export type Viewer = SessionOwner & { generation: number }

declare module 'fastify' {
  interface FastifyInstance {
    accessTokens: {
      /** The token expires at `endsAt`, or after 900 s. `maxAge` is in seconds. @throws Error if no key can sign now */
      sign(viewer: Viewer, endsAt: Date): { token: string; maxAge: number }
      read(token: string): Viewer | undefined
      /** When a token that `read` accepts expires. */
      expiryOf(token: string): Date | undefined
      /** Whether a token could be one of ours by its form: costs next to nothing. */
      hasForm(token: string): boolean
      /** Whether a token could be one of ours, by everything but its signature: costs a part of verifying it. */
      isPlausible(token: string): boolean
      /** As `read`; a token with an unknown key, which another server may have read already, waits up to 3 s for it. */
      readOrRefresh(token: string): Promise<Viewer | undefined>
      /** Of a token that could not be read: whether its key is known, so that its signature is wrong. */
      isForged(token: string): boolean
    }
  }
}

// Strict: a member that this server does not write means that the token was forged, and `jku`, `jwk`, `x5u` or `crit`
// would tell the verifier how to verify it (RFC 8725, 3.10).
const Token = z.object({
  header: z.strictObject({
    alg: z.enum(['HS256', 'EdDSA']),
    typ: z.literal('rookery+jwt'),
    kid: z.string().regex(kidForm),
  }),
  payload: z.strictObject({
    iss: z.literal('rookery'),
    aud: z.literal('rookery'),
    sub: Id,
    sid: Id,
    // Tokens of earlier versions have none.
    gen: z.int().nonnegative().default(0),
    iat: z.int(),
    exp: z.int(),
  }),
})

type Token = z.infer<typeof Token>

/**
 * Two parts, neither shorter nor longer than in any token of ours, and a signature of 43 (HS256) to 86 characters (EdDSA):
 * 15 KiB of cookies hold 900 texts that are no token, and to decode them would take 200 ms. Of longer parts, with a hundred
 * members that the schema refuses, even 16 would take 4 ms.
 */
const form = /^eyJ[\w-]{56,144}\.eyJ[\w-]{200,256}\.[\w-]{43,86}$/

/** Undefined if it throws. Without stacks: those of a token that is refused would take as long as the rest. */
function attempt<Result>(work: () => Result): Result | undefined {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return work()
  } catch {
    return undefined
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

function isTimely({ iat, exp }: Token['payload']): boolean {
  // Revocations are kept for this long only: see revocation-cache.ts.
  if (exp > iat + maxAccessTokenSeconds) return false
  const now = Date.now() / 1_000
  return exp > now && iat <= now + clockSkewSeconds
}

/** JWTs (RFC 7519) without personal data. `request.jwtVerify()` also reads the Authorization header, and is slower. */
export const accessTokens = fp<{ keys: LiveKeys }>(async (app, { keys }) => {
  const { algorithm, secret } = registeredSecret(keys.current())
  await app.register(jwt, {
    secret,
    decode: { complete: true },
    sign: { algorithm, iss: 'rookery', aud: 'rookery' },
    verify: {
      algorithms: [algorithm],
      allowedIss: 'rookery',
      allowedAud: 'rookery',
      checkTyp: 'rookery+jwt',
      requiredClaims: ['iss', 'aud', 'sub', 'sid', 'iat', 'exp'],
    },
  })

  let ring = keys.current()
  let jwtKeys = jwtKeysOf(ring)
  // A lookup in the verifier's own cache (`cache` of fast-jwt) takes three times as long.
  const verified = new Map<string, { viewer: Viewer; exp: number }>()
  /** Tokens with a wrong signature: several steps of a request verify the same one. */
  let refused = recentMap<true>(maxDecodedTokens)

  /** The tokens of a removed key must be refused at once, so verified ones belong to one ring. */
  function followRing(): void {
    const current = keys.current()
    if (current === ring) return
    verified.clear()
    refused = recentMap(maxDecodedTokens)
    ring = current
    jwtKeys = jwtKeysOf(current)
  }

  /** Each step of a request decodes its tokens. */
  const decodedLately = recentMap<{ parts: Token | undefined }>(maxDecodedTokens)

  function partsOf(token: string): Token | undefined {
    if (!form.test(token)) return undefined
    const known = decodedLately.get(token)
    if (known) return known.parts
    const parts = attempt(() => Token.safeParse(app.jwt.decode(token)).data)
    decodedLately.set(token, { parts })
    return parts
  }

  /** @returns the parts of a token that would be valid if its signature were, which remains to be verified */
  function decode(token: string): Token | undefined {
    const parts = partsOf(token)
    return parts && isTimely(parts.payload) ? parts : undefined
  }

  const isSigned = (token: string, { algorithm, verifyWith }: JwtKey): boolean =>
    attempt(() => app.jwt.verify(token, { key: verifyWith, algorithms: [algorithm] })) !== undefined

  function verify(token: string): { viewer: Viewer; exp: number } | undefined {
    const decoded = decode(token)
    if (decoded === undefined) return undefined
    const key = jwtKeys.get(decoded.header.kid)
    // The key decides on the algorithm, never the token (RFC 8725, 3.1).
    if (key?.algorithm !== decoded.header.alg) return undefined
    if (refused.get(token)) return undefined
    if (!isSigned(token, key)) {
      refused.set(token, true)
      return undefined
    }
    const { sub, sid, gen, exp } = decoded.payload
    const entry = { viewer: { account: sub, session: sid, generation: gen }, exp }
    if (verified.size >= maxVerifiedTokens) verified.clear()
    verified.set(token, entry)
    return entry
  }

  function readEntry(token: string): { viewer: Viewer; exp: number } | undefined {
    followRing()
    const entry = verified.get(token) ?? verify(token)
    return entry === undefined || entry.exp * 1_000 <= Date.now() ? undefined : entry
  }

  const read = (token: string): Viewer | undefined => readEntry(token)?.viewer

  function isForged(token: string): boolean {
    const key = jwtKeys.get(decode(token)?.header.kid ?? '')
    return key !== undefined && !verified.has(token)
  }

  function namesUnknownKey(token: string): boolean {
    const decoded = decode(token)
    return decoded !== undefined && !jwtKeys.has(decoded.header.kid)
  }

  const refreshed = boundedWait(keys.refresh)

  app.decorate('accessTokens', {
    sign({ account, session, generation }, endsAt) {
      followRing()
      const now = Date.now()
      const key = jwtKeys.get(signingKey(ring, new Date(now))?.kid ?? '')
      if (key?.signWith === undefined) throw new Error('no key of the ring can sign now')
      const { kid, algorithm, signWith } = key
      const iat = Math.floor(now / 1_000)
      const maxAge = Math.max(0, Math.min(maxAccessTokenSeconds, Math.floor(endsAt.getTime() / 1_000) - iat))
      const claims = { sub: account, sid: session, gen: generation, iat, exp: iat + maxAge }
      const header = { alg: algorithm, typ: 'rookery+jwt' }
      return { token: app.jwt.sign(claims, { key: signWith, algorithm, kid, header }), maxAge }
    },
    read,
    expiryOf(token) {
      const entry = readEntry(token)
      return entry && new Date(entry.exp * 1_000)
    },
    hasForm: (token) => form.test(token),
    isPlausible: (token) => verified.has(token) || decode(token) !== undefined,
    isForged,
    async readOrRefresh(token) {
      const viewer = read(token)
      if (viewer !== undefined || !namesUnknownKey(token)) return viewer
      await refreshed()
      return read(token)
    },
  })
})
