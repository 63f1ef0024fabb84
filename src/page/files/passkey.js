import { call, Failure } from './api.js'
import { el } from './dom.js'

/** Whether the browser has passkeys and reads their options as JSON (WebAuthn Level 3, 5.1.8 and 5.1.9). */
export const hasPasskeys =
  typeof PublicKeyCredential === 'function' && 'parseRequestOptionsFromJSON' in PublicKeyCredential

/** What the browser says instead of an answer (WebAuthn Level 3, 5.1.3 and 5.1.4). */
const reasons = new Map([
  ['NotAllowedError', 'No passkey was used: the browser was told to stop, or waited too long. Try again.'],
  ['AbortError', 'No passkey was used.'],
  ['InvalidStateError', 'This device already has a passkey for this account.'],
  ['SecurityError', 'Passkeys do not work at this address of the page.'],
])

/** @param {unknown} error @returns {never} */
function refused(error) {
  const detail = error instanceof DOMException ? reasons.get(error.name) : undefined
  if (!detail) throw error
  throw new Failure(0, { detail })
}

/** @param {Promise<Credential | null>} ceremony */
async function resultOf(ceremony) {
  const credential = await ceremony.catch(refused)
  if (!(credential instanceof PublicKeyCredential)) throw new Failure(0, { detail: 'The browser has no passkey.' })
  return credential.toJSON()
}

/**
 * Has the browser make a passkey.
 * @param {PublicKeyCredentialCreationOptionsJSON} options - of the API
 * @returns {Promise<object>} the `response` that the API takes
 * @throws {Failure}
 */
export const createPasskey = (options) =>
  resultOf(navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) }))

/**
 * Asks the API for a challenge, and has the browser sign it with a passkey.
 * @param {string} path - that answers with options
 * @param {AbortSignal} signal - when the answer is no longer wanted
 * @param {object} [body]
 * @returns {Promise<object>} the `response` that the API takes
 * @throws {Failure}
 */
export async function signWithPasskey(path, signal, body) {
  const options = await call('POST', path, body && { body })
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options)
  return resultOf(navigator.credentials.get({ publicKey, signal }))
}

const isAddress = /^\d+(\.\d+){3}$|^\[/.test(location.hostname)
const isLoopback = /^127\.|^\[::1\]$/.test(location.hostname)

/** A passkey belongs to a name, and not to an IP address. @returns {HTMLElement | undefined} what to do about it */
export function nameHint() {
  if (!isAddress) return undefined
  if (!isLoopback)
    return el('p', { class: 'hint' }, 'Passkeys work where this page is opened under a name, not under an IP address.')
  const named = `${location.protocol}//localhost${location.port && `:${location.port}`}`
  return el('p', { class: 'hint' }, 'Passkeys work under a name: open ', el('a', { href: named }, named), '.')
}
