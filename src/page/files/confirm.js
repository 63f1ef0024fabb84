import { actionButton } from './action-button.js'
import { call, Failure } from './api.js'
import { codeField } from './code-field.js'
import { el } from './dom.js'
import { form, newId, textOf } from './forms.js'
import { hasPasskeys, nameHint, signWithPasskey } from './passkey.js'
import { passwordField } from './password.js'

/** @import { Page, Passkey } from '../types.d.ts' */

/** @param {object} body */
const confirm = (body) => call('POST', '/v1/session/confirm', { body })

/**
 * Asks for the password, and for a code if the server does, or for a passkey if the account has one.
 * @param {string} purpose
 * @returns {Promise<boolean>} false if the dialog was closed instead
 */
function askOwner(purpose) {
  const id = newId('confirm')
  const closed = new AbortController()
  const { element: password, input } = passwordField('Password', 'password', 'current-password')
  const code = codeField()
  code.element.hidden = true
  const ask = form(
    {},
    async (element) => {
      const given = code.element.hidden ? {} : code.value()
      await confirm({ password: textOf(element, 'password'), ...given }).then(succeed, askCode)
    },
    'Confirm',
    password,
    code.element,
  )
  /** @param {unknown} failure */
  function askCode(failure) {
    const isAsked = failure instanceof Failure && failure.code === 'second-factor-required' && code.element.hidden
    if (!isAsked) throw failure
    code.element.hidden = false
    code.input.focus()
  }
  const succeed = () => dialog.close('confirmed')
  const cancel = el('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel')
  ask.querySelector('.row')?.append(cancel)
  const dialog = el(
    'dialog',
    { 'aria-labelledby': id },
    el('h2', { id }, 'Is it you?'),
    el('p', {}, `Enter your password once more${purpose}. It counts for ten minutes.`),
    ask,
    passkeyInstead(succeed, closed.signal),
  )
  document.body.append(dialog)
  dialog.showModal()
  input.focus()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      closed.abort()
      dialog.remove()
      resolve(dialog.returnValue === 'confirmed')
    })
  })
}

/** @param {() => void} succeed @param {AbortSignal} signal */
function passkeyInstead(succeed, signal) {
  const act = async () => {
    const passkey = await signWithPasskey('/v1/session/confirm/options', signal)
    await confirm({ passkey })
    succeed()
  }
  const element = el('div', { class: 'row', hidden: true }, ...actionButton('Use a passkey instead', act))
  /** @param {Page<Passkey>} own */
  const show = ({ items }) => {
    element.hidden = items.length === 0
  }
  // Without the answer the password still does it.
  if (hasPasskeys && !nameHint()) call('GET', '/v1/passkeys').then(show, () => undefined)
  return element
}

/**
 * Does what may need a confirmation. If it does, the owner is asked and it is done again.
 * @template Result
 * @param {() => Promise<Result>} act
 * @param {string} [purpose] - such as ` to delete the account`
 * @returns {Promise<Result | undefined>} undefined if the dialog was closed
 * @throws {Failure}
 */
export async function confirmed(act, purpose = '') {
  try {
    return await act()
  } catch (failure) {
    if (!(failure instanceof Failure && failure.code === 'confirmation-required')) throw failure
    return (await askOwner(purpose)) ? act() : undefined
  }
}
