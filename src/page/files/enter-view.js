import { el } from './dom.js'
import { field, form, textOf } from './forms.js'
import { newPasswordField, passwordField } from './password.js'
import { linkTo } from './routes.js'
import { enter } from './session.js'

/** @import { View } from '../types.d.ts' */

const usernameInput = () =>
  el('input', {
    name: 'username',
    autocomplete: 'username',
    autocapitalize: 'none',
    spellcheck: 'false',
    required: true,
  })

/** @param {HTMLFormElement} form */
const credentials = (form) => ({ username: textOf(form, 'username'), password: textOf(form, 'password') })

/** @returns {View} */
export function signUpView() {
  const username = usernameInput()
  const hint = el('p', { class: 'hint' }, '3 to 30 letters, digits or underscores. Others see it.')
  const element = el(
    'section',
    { class: 'narrow' },
    el('h1', { tabindex: -1 }, 'Sign up'),
    form(
      {},
      (form) => enter('/v1/accounts', credentials(form)),
      'Sign up',
      field('Username', username, hint),
      newPasswordField('Password', 'password', () => username.value),
    ),
    el('p', {}, 'Already here? ', el('a', { href: linkTo.logIn }, 'Log in'), '.'),
  )
  return { title: 'Sign up', element }
}

/** @returns {View} */
export function logInView() {
  const element = el(
    'section',
    { class: 'narrow' },
    el('h1', { tabindex: -1 }, 'Log in'),
    form(
      {},
      (form) => enter('/v1/session', credentials(form)),
      'Log in',
      field('Username', usernameInput()),
      passwordField('Password', 'password', 'current-password').element,
    ),
    el('p', {}, 'New here? ', el('a', { href: linkTo.signUp }, 'Sign up'), '.'),
  )
  return { title: 'Log in', element }
}
