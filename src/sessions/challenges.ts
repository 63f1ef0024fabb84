import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { Binary, type ClientSession, type Collection, type Db, MongoServerError } from 'mongodb'

/** What a challenge is for: one of another purpose is refused. */
export type ChallengePurpose = 'passkey-registration' | 'passkey-login' | 'passkey-confirm' | 'second-factor'

/**
 * @property subject - what it was issued for, such as an account; empty for nobody in particular
 * @property value - the bytes that an authenticator signs
 */
export type Challenge = { id: string; purpose: ChallengePurpose; subject: string; value: Buffer; expiresAt: Date }

type UsedChallengeDocument = { _id: Binary; expiresAt: Date }

export const challengeSeconds = 300

const form = /^([a-z-]{1,32})\.([\w:-]{0,128})\.(\d{13})\.([\w-]{22})\.([\w-]{43})$/
const duplicateKey = 11_000
/** A request may carry many cookies of one name. */
const maxVerified = 8

export const usedChallengeIndexes = [{ key: { expiresAt: 1 }, expireAfterSeconds: 60 }] as const

/**
 * Challenges live in the browser's cookie and are authenticated (HMAC-SHA-256), so that issuing one writes nothing: only its
 * use does, which makes it single-use over all processes.
 * @param secret - shared by all processes
 */
export function challengeStore(db: Db, secret: string, nowMs = Date.now) {
  const used: Collection<UsedChallengeDocument> = db.collection('usedChallenges')
  const keyFor = (use: string) => createHmac('sha256', secret).update(`challenges: ${use}`).digest()
  const [tokenKey, valueKey] = [keyFor('token'), keyFor('value')]
  const macOf = (text: string) => createHmac('sha256', tokenKey).update(text).digest()

  function parse(token: string, purpose: ChallengePurpose): Challenge | undefined {
    const [, given, subject = '', issuedAt, id = '', mac = ''] = form.exec(token) ?? []
    if (given !== purpose) return undefined
    const text = token.slice(0, token.lastIndexOf('.'))
    if (!timingSafeEqual(macOf(text), Buffer.from(mac, 'base64url'))) return undefined
    const expiresAt = new Date(Number(issuedAt) + challengeSeconds * 1_000)
    if (expiresAt.getTime() <= nowMs()) return undefined
    return { id, purpose, subject, value: createHmac('sha256', valueKey).update(text).digest(), expiresAt }
  }

  return {
    /** @returns the token for the cookie, and the challenge */
    issue(purpose: ChallengePurpose, subject = ''): { token: string; challenge: Challenge } {
      const text = `${purpose}.${subject}.${nowMs()}.${randomBytes(16).toString('base64url')}`
      const token = `${text}.${macOf(text).toString('base64url')}`
      const challenge = parse(token, purpose)
      if (!challenge) throw new Error(`no challenge can be issued for ${subject}`)
      return { token, challenge }
    },

    /** The first of these tokens that is valid. It may have been used. */
    read(purpose: ChallengePurpose, presented: readonly string[]): Challenge | undefined {
      for (const token of presented.slice(0, maxVerified)) {
        const challenge = parse(token, purpose)
        if (challenge) return challenge
      }
      return undefined
    },

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
        if (error instanceof MongoServerError && error.code === duplicateKey) return { outcome: 'already-used' }
        throw error
      }
    },
  }
}

export type ChallengeStore = ReturnType<typeof challengeStore>
