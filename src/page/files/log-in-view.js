import { actionButton } from './action-button.js'
import { Failure } from './api.js'
import { codeField } from './code-field.js'
import { el } from './dom.js'
import { field, form, textOf } from './forms.js'
import { hasPasskeys, nameHint, signWithPasskey } from './passkey.js'
import { passwordField } from './password.js'
import { linkTo } from './routes.js'
import { enter } from './session.js'
import { usernameInput } from './username.js'

/** @import { View } from '../types.d.ts' */

let notice = ''

/** Leads to the login, which tells why. @param {string} text */
export function goToLogIn(text) {
  notice = text
  location.hash = linkTo.logIn
}

/** @param {AbortSignal} signal */
function passkeyLogIn(signal) {
  const hint = nameHint()
  if (hint) return hint
  const act = async () => {
    const response = await signWithPasskey('/v1/session/passkey/options', signal, {})
    await enter('/v1/session/passkey', { response })
  }
  return el('div', { class: 'row', hidden: !hasPasskeys }, ...actionButton('Sign in with a passkey', act))
}

/** The second step, after the right password. @param {() => void} goBack */
function secondStep(goBack) {
  const code = codeField()
  const trust = el('input', { type: 'checkbox' })
  const step = form(
    {},
    () => enter('/v1/session/second-factor', { ...code.value(), ...(trust.checked && { trustDevice: true }) }),
    'Log in',
    code.element,
    el('p', {}, el('label', { class: 'check' }, trust, 'Trust this browser for 30 days')),
  )
  step.querySelector('.row')?.append(el('button', { type: 'button', onclick: goBack }, 'Back'))
  return { element: step, focus: () => code.input.focus() }
}

/** @returns {View} */
export function logInView() {
  const closed = new AbortController()
  const heading = el('h1', { tabindex: -1 }, 'Log in')
  const username = usernameInput()
  const password = passwordField('Password', 'password', 'current-password')
  const first = [
    ...(notice ? [el('p', { class: 'done', role: 'status' }, notice)] : []),
    form({}, logIn, 'Log in', field('Username', username), password.element),
    passkeyLogIn(closed.signal),
    el('p', {}, el('a', { href: linkTo.forgotten }, 'Forgot your password?')),
    el('p', {}, 'New here? ', el('a', { href: linkTo.signUp }, 'Sign up'), '.'),
  ]
  notice = ''
  const element = el('section', { class: 'narrow' }, heading, ...first)

  /** @param {HTMLFormElement} form */
  async function logIn(form) {
    const body = { username: textOf(form, 'username'), password: textOf(form, 'password') }
    await enter('/v1/session', body).catch((failure) => {
      if (!(failure instanceof Failure && failure.code === 'second-factor-required')) throw failure
      const step = secondStep(goBack)
      element.replaceChildren(heading, step.element)
      step.focus()
    })
  }

  function goBack() {
    password.input.value = ''
    element.replaceChildren(heading, ...first)
    username.focus()
  }

  return { title: 'Log in', element, close: () => closed.abort() }
}
