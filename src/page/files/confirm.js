import { call, Failure } from './api.js'
import { el } from './dom.js'
import { form, newId, textOf } from './forms.js'
import { passwordField } from './password.js'

/**
 * Asks for the password.
 * @param {string} purpose
 * @returns {Promise<boolean>} false if the dialog was closed instead
 */
function askPassword(purpose) {
  const id = newId('confirm')
  const { element: password, input } = passwordField('Password', 'password', 'current-password')
  const cancel = el('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel')
  const ask = form(
    {},
    async (element) => {
      await call('POST', '/v1/session/confirm', { body: { password: textOf(element, 'password') } })
      dialog.close('confirmed')
    },
    'Confirm',
    password,
  )
  ask.querySelector('.row')?.append(cancel)
  const dialog = el(
    'dialog',
    { 'aria-labelledby': id },
    el('h2', { id }, 'Is it you?'),
    el('p', {}, `Enter your password once more${purpose}. It counts for ten minutes.`),
    ask,
  )
  document.body.append(dialog)
  dialog.showModal()
  input.focus()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(dialog.returnValue === 'confirmed')
    })
  })
}

/**
 * Does what may need a fresh password. If it does, the password is asked for and it is done again.
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
    return (await askPassword(purpose)) ? act() : undefined
  }
}
