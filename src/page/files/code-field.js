import { el } from './dom.js'
import { field } from './forms.js'

/** A field for the code of an authenticator app, or for a recovery code instead. */
export function codeField() {
  const input = el('input', { name: 'code', required: true, spellcheck: 'false', autocapitalize: 'none' })
  const hint = el('p', { class: 'hint' })
  const element = field('', input, hint)
  const label = element.querySelector('label')
  const other = el('button', { type: 'button', onclick: swap })
  element.append(other)

  /** @param {boolean} isRecovery */
  function show(isRecovery) {
    input.value = ''
    input.name = isRecovery ? 'recoveryCode' : 'code'
    input.inputMode = isRecovery ? 'text' : 'numeric'
    input.setAttribute('autocomplete', isRecovery ? 'off' : 'one-time-code')
    if (label) label.textContent = isRecovery ? 'Recovery code' : 'Code'
    hint.textContent = isRecovery
      ? 'One of those that you saved when you set up the app. Each works once.'
      : 'The six digits that your authenticator app shows now.'
    other.textContent = isRecovery ? 'Use the app instead' : 'Use a recovery code'
  }

  function swap() {
    show(input.name === 'code')
    input.dispatchEvent(new Event('input'))
    input.focus()
  }

  show(false)
  return { element, input, value: () => ({ [input.name]: input.value.replace(/\s/g, '') }) }
}
