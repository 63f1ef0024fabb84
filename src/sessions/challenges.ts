import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { Binary, type ClientSession, type Collection, type Db, MongoServerError } from 'mongodb'
import { recentMap } from '../limits/recent-map.ts'
import { type KeyRing, signingKey } from '../secrets/key-ring.ts'

/** What a challenge is for: one of another purpose is refused. */
export type ChallengePurpose = 'passkey-registration' | 'passkey-login' | 'passkey-confirm' | 'second-factor'

/**
 * @property subject - what it was issued for, such as an account; empty if it is for no account
 * @property value - the bytes that an authenticator signs
 */
export type Challenge = { id: string; purpose: ChallengePurpose; subject: string; value: Buffer; expiresAt: Date }

type UsedChallengeDocument = { _id: Binary; expiresAt: Date }

export const challengeSeconds = 300

const form = /^([a-z-]{1,32})\.([\w:-]{0,128})\.(\d{13})\.([\w-]{22})\.([\w-]{43})$/
const duplicateKey = 11_000
/** A request may carry many cookies of one name. */
const maxVerified = 8
const maxEnded = 10_000

/**
 * The keys of challenges, that of the key that signs now first. Each is made of a key of the ring and the throttle key: a
 * challenge can say that a password was right, and the database, and so a backup, may hold the throttle key.
 */
export function challengeKeys(ring: KeyRing, throttleKey: string): Buffer[] {
  const present = signingKey(ring, new Date())
  const keys = present ? [present, ...ring.filter((key) => key !== present)] : ring
  const secrets = keys.flatMap((key) => (key.algorithm === 'HS256' ? key.secret : (key.d ?? [])))
  return secrets.map((secret) => createHmac('sha256', secret).update(`challenges: ${throttleKey}`).digest())
}

export const usedChallengeIndexes = [{ key: { expiresAt: 1 }, expireAfterSeconds: 60 }] as const

/**
 * Challenges live in the browser's cookie and are authenticated (HMAC-SHA-256), so that issuing one writes nothing: only its
 * use does, which makes it single-use over all processes.
 * @param keys - of all processes: the first authenticates new challenges, any of them an issued one
 */
export function challengeStore(db: Db, keys: () => readonly Buffer[], nowMs = Date.now) {
  const used: Collection<UsedChallengeDocument> = db.collection('usedChallenges')
  /** By id, those that serve no more, as far as this process knows: a client could present one without end. */
  const ended = recentMap<true>(maxEnded)
  const macOf = (key: Buffer, use: 'token' | 'value', text: string) =>
    createHmac('sha256', key).update(`${use}: ${text}`).digest()

  function parse(token: string, purpose: ChallengePurpose): Challenge | undefined {
    const [, issuedFor, subject = '', issuedAt, id = '', mac = ''] = form.exec(token) ?? []
    if (issuedFor !== purpose) return undefined
    const text = token.slice(0, token.lastIndexOf('.'))
    const presented = Buffer.from(mac, 'base64url')
    const key = keys().find((each) => timingSafeEqual(macOf(each, 'token', text), presented))
    if (!key) return undefined
    const expiresAt = new Date(Number(issuedAt) + challengeSeconds * 1_000)
    if (expiresAt.getTime() <= nowMs()) return undefined
    return { id, purpose, subject, value: macOf(key, 'value', text), expiresAt }
  }

  const readAll = (purpose: ChallengePurpose, presented: readonly string[]): Challenge[] =>
    presented
      .slice(0, maxVerified)
      .flatMap((token) => parse(token, purpose) ?? [])
      .filter(({ id }) => !ended.get(id))

  return {
    /** @returns the token for the cookie, and the challenge */
    issue(purpose: ChallengePurpose, subject = ''): { token: string; challenge: Challenge } {
      const text = `${purpose}.${subject}.${nowMs()}.${randomBytes(16).toString('base64url')}`
      const [key] = keys()
      if (!key) throw new Error('no key of the ring can issue a challenge')
      const token = `${text}.${macOf(key, 'token', text).toString('base64url')}`
      const challenge = parse(token, purpose)
      if (!challenge) throw new Error(`no challenge can be issued for ${subject}`)
      return { token, challenge }
    },

    /** The first of these tokens that is valid. It may have been used. */
    read: (purpose: ChallengePurpose, presented: readonly string[]): Challenge | undefined =>
      readAll(purpose, presented)[0],

    readAll,

    /** For one that serves no more, whatever the reason: from now on this process reads it as none. */
    end: ({ id }: Challenge): void => ended.set(id, true),

    /** Alone, or in the transaction of what it permits. */
    async use(
      { id, expiresAt }: Challenge,
      transaction?: ClientSession,
    ): Promise<{ outcome: 'used' | 'already-used' }> {
      const document = { _id: new Binary(Buffer.from(id, 'base64url')), expiresAt }
      try {
        await used.insertOne(document, transaction && { session: transaction })
        return { outcome: 'used' }
      } catch (error) {
        // The server has aborted the transaction then: the caller must throw.
        if (!(error instanceof MongoServerError && error.code === duplicateKey)) throw error
        ended.set(id, true)
        return { outcome: 'already-used' }
      }
    },
  }
}

export type ChallengeStore = ReturnType<typeof challengeStore>
