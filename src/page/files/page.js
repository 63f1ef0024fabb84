import { Failure } from './api.js'
import { el } from './dom.js'
import { messageOf } from './forms.js'
import { newestView, timelineView } from './home-view.js'
import { forgetPosts } from './known-posts.js'
import { logInView } from './log-in-view.js'
import { takeMailLink } from './mail-link.js'
import { forgottenView, resetView, verifyView } from './mail-views.js'
import { accountsView, profileView } from './profile-view.js'
import { showPulse } from './pulse.js'
import { reactionsView } from './reactions-view.js'
import { retrying } from './retry.js'
import { linkTo } from './routes.js'
import { securityView } from './security-view.js'
import { hasLostSession, me, onSessionChange, readSession } from './session.js'
import { settingsView } from './settings-view.js'
import { signUpView } from './sign-up-view.js'
import { threadView } from './thread-view.js'

/** @import { View } from '../types.d.ts' */

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id)) // of index.html
const main = byId('main')
const sessionRetryMs = 3_000
const lost = el('p', { role: 'alert' }, 'You are logged out: the session has expired or was ended elsewhere.')

/** @type {[pattern: RegExp, view: (...parts: string[]) => View | Promise<View>][]} */
const views = [
  [/^#?\/?$/, newestView],
  [/^#\/timeline$/, timelineView],
  [/^#\/sign-up$/, signUpView],
  [/^#\/log-in$/, logInView],
  [/^#\/forgotten$/, forgottenView],
  [/^#\/reset$/, resetView],
  [/^#\/verify$/, verifyView],
  [/^#\/settings$/, settingsView],
  [/^#\/security$/, securityView],
  [/^#\/reactions$/, reactionsView],
  [/^#\/posts\/([^/]+)$/, threadView],
  [/^#\/@([^/]+)$/, profileView],
  [/^#\/@([^/]+)\/(followers|following)$/, accountsView],
]

const forStrangers = [linkTo.signUp, linkTo.logIn, linkTo.forgotten]
const forAccounts = [linkTo.timeline, linkTo.settings, linkTo.security, linkTo.reactions]

/** As typed, if it is not encoded. @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** @param {string} hash */
async function viewOf(hash) {
  for (const [pattern, view] of views) {
    const parts = pattern.exec(hash)?.slice(1).map(decoded)
    if (parts) return view(...parts)
  }
  return failedView('Not found', 'There is no such page.')
}

/** @param {string} title @param {string} message @returns {View} */
function failedView(title, message) {
  const element = el('div', {}, el('h1', { tabindex: -1 }, title), el('p', { role: 'alert' }, message))
  return { title, element }
}

const again = retrying(() => show(false), main)

/** @param {unknown} failure */
function unreadView(failure) {
  again.failed(failure)
  const isTemporary = failure instanceof Failure && failure.isTemporary
  return failedView(isTemporary ? 'Not available now' : 'Not found', messageOf(failure))
}

/** @type {View | undefined} */
let current
let turns = 0

/** @param {boolean} isNavigation - the reader went there, so the keyboard's place follows */
async function show(isNavigation) {
  takeMailLink()
  const isWrong = (me() ? forStrangers : forAccounts).includes(location.hash)
  if (isWrong) {
    // Not an entry of the history, which would lead back here for ever.
    location.replace(me() ? linkTo.newest : linkTo.logIn)
    return
  }
  const turn = ++turns
  // A question that belonged to the view before.
  for (const dialog of document.querySelectorAll('dialog')) dialog.close()
  forgetPosts()
  if (isNavigation) again.reset()
  const view = await viewOf(location.hash).catch(unreadView)
  if (turn !== turns) {
    view.close?.()
    return
  }
  current?.close?.()
  current = view
  document.title = view.title === 'Newest' ? 'Rookery' : `${view.title} · Rookery`
  main.replaceChildren(...(hasLostSession() ? [lost] : []), view.element)
  showNavigation()
  if (!isNavigation) return
  scrollTo(0, 0)
  const heading = view.element.querySelector('h1')
  if (heading instanceof HTMLElement) heading.focus({ preventScroll: true })
}

function showNavigation() {
  const account = me()
  /** @type {[string, string][]} */
  const links = account
    ? [
        [linkTo.newest, 'Newest'],
        [linkTo.timeline, 'Following'],
        [linkTo.profile(account.username), `@${account.username}`],
        [linkTo.settings, 'Account'],
      ]
    : [
        [linkTo.newest, 'Newest'],
        [linkTo.logIn, 'Log in'],
        [linkTo.signUp, 'Sign up'],
      ]
  const here = location.hash || linkTo.newest
  byId('nav').replaceChildren(
    ...links.map(([href, text]) => el('a', { href, 'aria-current': href === here ? 'page' : undefined }, text)),
  )
}

/** An account stays logged in when the server does not answer at first. */
async function findSession() {
  await readSession().catch(() => setTimeout(findSession, sessionRetryMs))
}

function showEnd() {
  const docs = el('a', { href: '/docs' }, 'Try the API')
  const readme = el('a', { href: '/readme' }, 'Read the README')
  const links = document.body.dataset.docs === 'true' ? [docs, readme] : []
  byId('end').append(...links, el('a', { href: '/openapi.json' }, 'OpenAPI document'))
}

takeMailLink()
showEnd()
showPulse(byId('pulse'))
await findSession()
onSessionChange(() => show(false))
window.addEventListener('hashchange', () => show(true))
document.querySelector('.skip')?.addEventListener('click', (event) => {
  // The address after # belongs to the views.
  event.preventDefault()
  main.focus()
})
await show(false)
