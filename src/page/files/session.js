import { call, Failure, login } from './api.js'
import { onTabMessage, tellTabs } from './tabs.js'

/** @import { Account } from '../types.d.ts' */

/** @type {Account | undefined} */
let account

/** @type {(() => void)[]} */
const listeners = []

/** The account that is logged in. */
export const me = () => account

/** @param {() => void} listener */
export function onSessionChange(listener) {
  listeners.push(listener)
}

/** @param {Account | undefined} next */
function become(next) {
  const isSame = account?.id === next?.id
  account = next
  login.isActive = next !== undefined
  login.readsAsStranger = false
  if (!isSame) for (const listener of listeners) listener()
}

login.onLost = () => become(undefined)

/** Finds out who is logged in. */
export async function readSession() {
  const answer = await call('GET', '/v1/session').catch((failure) => {
    if (failure instanceof Failure && failure.status === 401) return undefined
    throw failure
  })
  become(answer?.account)
}

/**
 * @param {string} path - `/v1/accounts` to sign up, `/v1/session` to log in
 * @param {object} body
 */
export async function enter(path, body) {
  const answer = await call('POST', path, { body })
  become(answer.account ?? answer)
  tellTabs({ kind: 'session' })
}

export async function logOut() {
  await call('DELETE', '/v1/session')
  leave()
}

/** After the session has ended on the server. */
export function leave() {
  become(undefined)
  tellTabs({ kind: 'session' })
}

/** @param {Account} next */
export function updateMe(next) {
  account = next
}

onTabMessage(({ kind }) => {
  if (kind === 'session') readSession().catch(() => undefined)
})
