import { actionButton } from './action-button.js'
import { confirmed } from './confirm.js'
import { errorLine, messageOf, tellError } from './forms.js'
import { twoStepButton } from './two-step-button.js'

/**
 * An action that may need a confirmation.
 * @param {string} label
 * @param {() => Promise<unknown>} act
 * @param {string} [purpose] - for the dialog: ` to add a passkey`
 */
export const confirmedButton = (label, act, purpose) => actionButton(label, () => confirmed(act, purpose))

/**
 * The same for what cannot be undone: it acts at the second press.
 * @param {string} label
 * @param {string} question
 * @param {() => Promise<unknown>} act
 * @param {string} [purpose]
 */
export function graveButton(label, question, act, purpose) {
  const error = errorLine()
  const button = twoStepButton(label, question, async () => {
    tellError(error)
    await confirmed(act, purpose).catch((failure) => tellError(error, messageOf(failure)))
  })
  return [button, error]
}
