import { Failure } from './api.js'
import { el } from './dom.js'
import { errorLine, messageOf, tellError } from './forms.js'

/** @param {unknown} failure */
export const isSwitchedOff = (failure) => failure instanceof Failure && failure.code === 'forbidden'

/**
 * A button that acts once at a time, and the line for its error. If the server has that switched off, its reason stands
 * there instead of the button.
 * @param {string} label
 * @param {() => Promise<unknown>} act
 */
export function actionButton(label, act) {
  const error = errorLine()
  const button = el('button', { type: 'button', onclick: press }, label)
  async function press() {
    if (button.getAttribute('aria-busy')) return
    button.setAttribute('aria-busy', 'true')
    tellError(error)
    await act().catch((failure) => {
      tellError(error, messageOf(failure))
      button.hidden = isSwitchedOff(failure)
    })
    button.removeAttribute('aria-busy')
  }
  return [button, error]
}
