import type { Services } from '../services.ts'
import { type Credentials, parseCredentials } from './db-credentials.ts'
import { findSigningFaults, findVerifyingFaults, type KeyRing, ringOfOne } from './key-ring.ts'
import { type MailServer, parseMailServer } from './mail-server.ts'
import type { SecretTexts } from './names.ts'
import { parseKeyRing } from './parse-key-ring.ts'
import { type Pepper, parsePeppers } from './pepper.ts'
import { findSignKeyFaults } from './sign-key.ts'
import { parseTotpKeys, type TotpKey } from './totp-keys.ts'

/** The secrets in use. Plain data, which is sent to worker processes. */
export type Secrets = {
  readonly database: Credentials
  readonly signKeys: KeyRing
  readonly peppers: readonly Pepper[]
  /** The first encrypts, all decrypt. Without one, no authenticator app can be enrolled. */
  readonly totpKeys: readonly TotpKey[]
  /** Undefined: the one that the database keeps. */
  readonly throttleKey: string | undefined
  readonly mailServer: MailServer | undefined
}

export type SecretRules = {
  dbUser: string
  /** Without accounts, the server only verifies tokens, and must have no key that signs. */
  services: Services
}

/** Parses the texts of all secrets. Adds faults to `faults`; the result is complete only if there are none. */
export function parseSecrets(texts: SecretTexts, { dbUser, services }: SecretRules, faults: string[]): Secrets {
  const { DB_CREDENTIALS, DB_PASSWORD = '', PASSWORD_PEPPER, SMTP_URL, THROTTLE_KEY, TOTP_KEYS } = texts
  const credentials = DB_CREDENTIALS === undefined ? undefined : parseCredentials(DB_CREDENTIALS, faults)
  if (THROTTLE_KEY !== undefined && Buffer.byteLength(THROTTLE_KEY) < 32)
    faults.push('THROTTLE_KEY must be at least 32 bytes: generate one with openssl rand -hex 32')
  return {
    database: credentials ?? { username: dbUser, password: DB_PASSWORD },
    signKeys: parseSignKeys(texts, services.includes('accounts'), faults),
    peppers: PASSWORD_PEPPER === undefined ? [] : parsePeppers(PASSWORD_PEPPER, faults),
    totpKeys: TOTP_KEYS === undefined ? [] : parseTotpKeys(TOTP_KEYS, faults),
    throttleKey: THROTTLE_KEY,
    mailServer: SMTP_URL === undefined ? undefined : parseMailServer(SMTP_URL, faults),
  }
}

function parseSignKeys({ JWT_SIGN_KEY, JWT_SIGN_KEYS }: SecretTexts, signs: boolean, faults: string[]): KeyRing {
  if (JWT_SIGN_KEY !== undefined) {
    const ring = ringOfOne(JWT_SIGN_KEY)
    faults.push(...(signs ? findSignKeyFaults(JWT_SIGN_KEY) : findVerifyingFaults(ring)))
    return ring
  }
  const ring = JWT_SIGN_KEYS === undefined ? undefined : parseKeyRing(JWT_SIGN_KEYS, faults)
  if (ring) faults.push(...(signs ? findSigningFaults(ring, new Date()) : findVerifyingFaults(ring)))
  return ring ?? []
}
