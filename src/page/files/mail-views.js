import { call } from './api.js'
import { el } from './dom.js'
import { field, form, textOf } from './forms.js'
import { goToLogIn } from './log-in-view.js'
import { forgetToken, tokenOf } from './mail-link.js'
import { whyOff } from './part.js'
import { newPasswordField } from './password.js'
import { linkTo } from './routes.js'
import { me, passwordReset } from './session.js'
import { usernameInput } from './username.js'

/** @import { View } from '../types.d.ts' */

/** @param {string} title @param {...(Node | string)} children */
const narrow = (title, ...children) =>
  el('section', { class: 'narrow' }, el('h1', { tabindex: -1 }, title), ...children)

/** @param {string} title @returns {View} */
const withoutToken = (title) => ({
  title,
  element: narrow(title, el('p', {}, 'Open the link in the mail: it works once, and only as a whole.')),
})

/** Asks for a link that resets the password. @returns {View} */
export function forgottenView() {
  const title = 'Forgot your password?'
  const sent = el(
    'p',
    { class: 'done', role: 'status' },
    'If this account exists and has a verified address, a link is on its way. It works once, for 30 minutes.',
  )
  const element = narrow(
    title,
    el('p', {}, 'If the account has a verified e-mail address, we send a link to it.'),
    form(
      {},
      async (form) => {
        const body = { username: textOf(form, 'username') }
        form.replaceWith(await call('POST', '/v1/password-reset', { body }).then(() => sent, whyOff))
      },
      'Send a link',
      field('Username', usernameInput()),
    ),
    el('p', {}, el('a', { href: linkTo.logIn }, 'Back to the login')),
  )
  return { title, element }
}

/** Sets a new password with the link from the mail. @returns {View} */
export function resetView() {
  const title = 'Choose a new password'
  const token = tokenOf('reset')
  if (!token) return withoutToken(title)
  const element = narrow(
    title,
    form(
      {},
      async (form) => {
        const body = { token, newPassword: textOf(form, 'newPassword') }
        await call('POST', '/v1/password-reset/confirm', { body })
        forgetToken('reset')
        await passwordReset()
        const text = 'The password is changed, and every session has ended. Passkeys and the e-mail address stay.'
        if (me()) element.replaceChildren(el('p', { class: 'done', role: 'status' }, text))
        else goToLogIn(`${text} Log in with the new one.`)
      },
      'Change the password',
      newPasswordField('New password', 'newPassword', () => ''),
    ),
    el('p', {}, el('a', { href: linkTo.forgotten }, 'Ask for another link')),
  )
  return { title, element }
}

/** Verifies an address with the link from the mail; at a press, since programs that look for malware open links, too. @returns {View} */
export function verifyView() {
  const title = 'Verify your e-mail address'
  const token = tokenOf('verify')
  if (!token) return withoutToken(title)
  const element = narrow(
    title,
    form(
      {},
      async (form) => {
        await call('POST', '/v1/email-verification', { body: { token } })
        forgetToken('verify')
        form.replaceWith(el('p', { class: 'done', role: 'status' }, 'The address is verified.'))
      },
      'Verify the address',
    ),
    el('p', {}, el('a', { href: me() ? linkTo.security : linkTo.newest }, me() ? 'Security' : 'The newest posts')),
  )
  return { title, element }
}
