import { el } from './dom.js'
import { field, form, textOf } from './forms.js'
import { newPasswordField } from './password.js'
import { linkTo } from './routes.js'
import { enter } from './session.js'
import { usernameInput } from './username.js'

/** @import { View } from '../types.d.ts' */

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
