import { el } from './dom.js'
import { field } from './forms.js'

export const minLength = Number(document.body.dataset.passwordMinLength)

const consonants = 'bdfghjklmnprstvz'
const vowels = 'aeiou'

/** Five words of no language: 2^63 of them. */
function suggestion() {
  const bytes = crypto.getRandomValues(new Uint8Array(20))
  const letters = [...bytes].map((byte, n) => (n % 2 ? vowels[byte % 5] : consonants[byte % 16]))
  return (letters.join('').match(/.{4}/g) ?? []).join('-')
}

/** As typed or after NFKC, whichever is shorter: the server demands both. @param {string} password */
const lengthOf = (password) => Math.min([...password].length, [...password.normalize('NFKC')].length)

/**
 * The server's own estimate knows many more passwords than this.
 * @param {string} password
 * @param {string} username
 */
function hintFor(password, username) {
  const characters = [...password.normalize('NFKC').toLowerCase()]
  const length = lengthOf(password)
  if (length === 0) return `At least ${minLength} characters. Several unrelated words are easy to remember.`
  if (username.length > 2 && characters.join('').includes(username.toLowerCase()))
    return 'Must not contain the username.'
  if (length < minLength) return `${length} of ${minLength} characters.`
  if (new Set(characters).size < 6) return 'Few different characters are easy to guess.'
  return `${length} characters: long enough. Rookery also refuses what is easy to guess, and passwords from known leaks.`
}

/**
 * @param {string} label
 * @param {string} name
 * @param {'current-password' | 'new-password'} autocomplete
 */
export function passwordField(label, name, autocomplete) {
  const input = el('input', { type: 'password', name, autocomplete, required: true })
  const element = field(label, input)
  const show = el('input', { type: 'checkbox' })
  show.addEventListener('change', () => reveal(show.checked))
  element.append(el('label', { class: 'check' }, show, 'Show the password'))
  /** @param {boolean} isShown */
  function reveal(isShown) {
    show.checked = isShown
    input.type = isShown ? 'text' : 'password'
  }
  return { element, input, reveal }
}

/**
 * A field for a new password: a bar for its length, a hint while typing, and a suggestion.
 * @param {string} label
 * @param {string} name
 * @param {() => string} username
 */
export function newPasswordField(label, name, username) {
  const { element, input, reveal } = passwordField(label, name, 'new-password')
  const bar = el('progress', { max: minLength, value: 0, 'aria-label': 'Length' })
  const hint = el('p', { class: 'hint', id: `${input.id}-length`, 'aria-live': 'polite' })
  const suggest = el('button', { type: 'button', class: 'quiet', onclick: useSuggestion }, 'Suggest one')
  input.setAttribute('aria-describedby', `${hint.id} ${input.getAttribute('aria-describedby')}`)
  input.after(bar, hint)
  element.append(suggest)
  function show() {
    const text = hintFor(input.value, username())
    if (hint.textContent !== text) hint.textContent = text
    bar.value = Math.min(minLength, lengthOf(input.value))
  }
  function useSuggestion() {
    input.value = suggestion()
    reveal(true)
    input.dispatchEvent(new Event('input'))
  }
  input.addEventListener('input', show)
  show()
  return element
}
