import { call, Failure, login } from './api.js'
import { onTabMessage, tellTabs } from './tabs.js'

/** @import { Account } from '../types.d.ts' */

const checkEveryMs = 15_000

/** @type {Account | undefined} */
let account
let isLost = false

/** An answer is ignored once a later one has been applied. */
let turns = 0
let lastApplied = 0
let isChecking = false
let willCheckSoon = false

/** @type {(() => void)[]} */
const listeners = []

/** The account that is logged in. */
export const me = () => account

/** Whether the account was logged out by something else than this page. */
export const hasLostSession = () => isLost

/** @param {() => void} listener */
export function onSessionChange(listener) {
  listeners.push(listener)
}

/** @param {Account | undefined} next @param {number} [turn] */
function become(next, turn = ++turns) {
  if (turn < lastApplied) return
  lastApplied = turn
  const isSame = account?.id === next?.id
  account = next
  login.isActive = next !== undefined
  if (next) isLost = false
  if (isSame) return
  login.readsAsStranger = false
  for (const listener of listeners) listener()
}

login.onLost = () => {
  isLost ||= account !== undefined
  become(undefined)
}

/** Finds out who is logged in. */
export async function readSession() {
  const turn = ++turns
  const answer = await call('GET', '/v1/session').catch((failure) => {
    if (failure instanceof Failure && failure.status === 401) return undefined
    throw failure
  })
  become(answer?.account, turn)
}

/** Finds out whether the session still exists: it may have been ended on another device. */
async function checkSession() {
  if (!account || document.hidden || isChecking) return
  isChecking = true
  await readSession().catch(() => undefined)
  isChecking = false
}

/**
 * A stream ends with its session. It also ends when the server stops, and then not all pages ask at once; and when this
 * browser changes the password, whose answer brings the new cookies a moment later.
 */
export function checkSessionSoon() {
  if (willCheckSoon) return
  willCheckSoon = true
  const delayMs = 1_000 + Math.random() * 2_000
  setTimeout(() => {
    willCheckSoon = false
    checkSession()
  }, delayMs)
}

setInterval(checkSession, checkEveryMs)
document.addEventListener('visibilitychange', checkSession)

/**
 * @param {string} path - `/v1/accounts` to sign up, `/v1/session` and what is below it to log in
 * @param {object} body
 */
export async function enter(path, body) {
  const answer = await call('POST', path, { body })
  become(answer.account ?? answer)
  tellTabs({ kind: 'session' })
}

/** @param {boolean} isEverywhere - all sessions of the account, and not only this one */
export async function logOut(isEverywhere) {
  await call('DELETE', `/v1/session${isEverywhere ? '?everywhere=true' : ''}`)
  leave()
}

/** The server has begun a new session, which may read more than that of a one-time password. */
export async function passwordChanged() {
  login.readsAsStranger = false
  await readSession()
  tellTabs({ kind: 'session' })
}

/** After a reset, which ends the sessions of its account: this page's, perhaps. */
export async function passwordReset() {
  await readSession().catch(() => undefined)
  // It was expected.
  isLost = false
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
