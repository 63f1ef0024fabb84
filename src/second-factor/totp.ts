import { randomBytes } from 'node:crypto'
import { Secret, TOTP } from 'otpauth'

/** What every authenticator app supports (RFC 6238). */
const parameters = { issuer: 'Rookery', algorithm: 'SHA1', digits: 6, period: 30 }

/** One step back and one ahead: for a code typed late, and clocks that differ (RFC 6238, 5.2). */
const window = 1

/** Of 160 bits, as RFC 4226, 4 recommends. */
export const newTotpSecret = (): Buffer => randomBytes(20)

function totpOf(secret: Uint8Array, label = ''): TOTP {
  // A copy: a Buffer can be a part of a larger ArrayBuffer.
  return new TOTP({ ...parameters, label, secret: new Secret({ buffer: Uint8Array.from(secret).buffer }) })
}

/** What an app is enrolled with: the secret in base 32, and a URI with all parameters. */
export function enrolmentOf(secret: Uint8Array, username: string): { secret: string; uri: string } {
  const totp = totpOf(secret, username)
  return { secret: totp.secret.base32, uri: totp.toString() }
}

/** The time step whose code this is, of those that are accepted now; undefined for a wrong code. Each step has a number. */
export function stepOf(secret: Uint8Array, code: string, nowMs = Date.now()): number | undefined {
  const delta = totpOf(secret).validate({ token: code, timestamp: nowMs, window })
  return delta === null ? undefined : TOTP.counter({ period: parameters.period, timestamp: nowMs }) + delta
}
