/** @import { Fault } from '../types.d.ts' */

/** @typedef {{ body?: object, headers?: Record<string, string>, timeoutMs?: number }} Options */

/** An answer that is an error, or no answer (status 0). The message is the problem's detail. */
export class Failure extends Error {
  /**
   * @param {number} status
   * @param {{ detail?: string, code?: string, errors?: Fault[] }} problem
   */
  constructor(status, { detail = `The server answered ${status}.`, code = '', errors = [] }) {
    super(detail)
    this.status = status
    this.code = code
    this.errors = errors
  }

  /** Whether the same request may succeed later. */
  get isTemporary() {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }

  /** Whether a change may have been carried out. */
  get isUnknown() {
    return this.status === 0 || this.status === 502 || this.code === 'outcome-unknown'
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<Response>} of a success
 * @throws {Failure}
 */
export async function fetchFrom(method, path, { body, headers, timeoutMs = 30_000 } = {}) {
  const response = await fetch(path, {
    method,
    headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
    signal: AbortSignal.timeout(timeoutMs),
    ...(body && { body: JSON.stringify(body) }),
  }).catch(notReached)
  if (response.ok) return response
  throw new Failure(response.status, await response.json().catch(() => ({})))
}

/** Also when the connection ends, or the time is up, before the end of the answer. @returns {never} */
function notReached() {
  throw new Failure(0, { detail: 'The server cannot be reached. Check the connection and try again.' })
}

/** @param {Response} response */
async function bodyOf(response) {
  return [202, 204].includes(response.status) ? undefined : response.json().catch(notReached)
}

/**
 * Set by session.js: whether an account is logged in, as far as the page knows, and what to do when it no longer is. The
 * session of a one-time password reads as a stranger until the password is changed.
 */
export const login = { isActive: false, readsAsStranger: false, onLost: () => {} }

/** @type {Promise<boolean> | undefined} */
let refreshing

/** Renews the access token, once for all requests that need it. @returns {Promise<boolean>} whether there is a session */
export function refresh() {
  refreshing ??= fetchFrom('POST', '/v1/session/refresh')
    .then(
      () => true,
      (failure) => {
        if (failure.status !== 401) throw failure
        login.onLost()
        return false
      },
    )
    .finally(() => {
      refreshing = undefined
    })
  return refreshing
}

/** A public answer to a client without a session. @param {any} body */
const isAnonymous = (body) => [body, ...(body?.items ?? [])].some((item) => item?.viewer === null)

/**
 * Sends a request. If the access token has expired, it is renewed and the request sent once more.
 * @param {string} method
 * @param {string} path
 * @param {Options} [options]
 * @returns {Promise<any>} the JSON of the answer
 * @throws {Failure}
 */
export async function call(method, path, options) {
  const send = () => fetchFrom(method, path, options).then(bodyOf)
  const [body, failure] = await send().then(
    (body) => [body],
    (failure) => [undefined, failure],
  )
  const hasExpired = failure
    ? failure.code === 'unauthenticated'
    : login.isActive && !login.readsAsStranger && isAnonymous(body)
  if (hasExpired && (await refresh())) {
    const again = await send()
    login.readsAsStranger = isAnonymous(again)
    return again
  }
  if (failure) throw failure
  return body
}
