import { Failure } from './api.js'
import { el } from './dom.js'
import { failureWords } from './failure-words.js'

let ids = 0
/** @param {string} name */
export const newId = (name) => `${name}-${++ids}`

/** @returns {HTMLParagraphElement} where an error is told */
export const errorLine = () => el('p', { class: 'error', role: 'alert', hidden: true })

/**
 * @param {HTMLElement} line
 * @param {string} [text] - nothing hides it
 */
export function tellError(line, text) {
  line.hidden = text === undefined
  // A screen reader tells each change.
  if (line.textContent !== (text ?? '')) line.textContent = text ?? ''
}

/** @param {unknown} failure */
export function messageOf(failure) {
  if (failure instanceof Failure)
    return [failureWords(failure), ...failure.errors.map(({ detail }) => detail)].join(' ')
  console.error(failure)
  return 'The page made a mistake: reload it.'
}

/**
 * A labelled input or textarea with a hint and a line for its error.
 * @param {string} label
 * @param {HTMLInputElement | HTMLTextAreaElement} input - its name is the member of the request's body
 * @param {...(HTMLElement)} hints
 */
export function field(label, input, ...hints) {
  input.id = newId(input.name)
  const error = errorLine()
  const described = [...hints, error]
  for (const part of described) part.id = newId('hint')
  input.setAttribute('aria-describedby', described.map(({ id }) => id).join(' '))
  input.addEventListener('input', () => clear(input, error))
  return el('div', { class: 'field' }, el('label', { for: input.id }, label), input, ...described)
}

/** @param {HTMLElement} input @param {HTMLElement | null} error */
function clear(input, error) {
  input.removeAttribute('aria-invalid')
  if (error) tellError(error)
}

/**
 * A form that sends itself once at a time, and shows an error at the field that it is about.
 * @param {Record<string, string>} attributes
 * @param {(form: HTMLFormElement) => Promise<unknown>} send
 * @param {string} button
 * @param {...HTMLElement} parts
 */
export function form(attributes, send, button, ...parts) {
  const error = errorLine()
  const submit = el('button', { class: 'primary' }, button)
  const actions = el('div', { class: 'row' }, submit)
  const element = el('form', { novalidate: true, ...attributes }, ...parts, error, actions)
  let isSending = false
  element.addEventListener('submit', async (event) => {
    event.preventDefault()
    if (isSending) return
    isSending = true
    submit.setAttribute('aria-busy', 'true')
    clearErrors(element)
    try {
      await send(element)
    } catch (failure) {
      showErrors(element, error, failure)
    } finally {
      isSending = false
      submit.removeAttribute('aria-busy')
    }
  })
  return element
}

/** @param {HTMLFormElement} element */
function clearErrors(element) {
  for (const line of element.querySelectorAll('.error')) if (line instanceof HTMLElement) tellError(line)
  for (const input of element.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid')
}

/**
 * @param {HTMLFormElement} element
 * @param {HTMLElement} general
 * @param {unknown} failure
 */
function showErrors(element, general, failure) {
  const rest = failure instanceof Failure ? failure.errors.filter((fault) => !showFault(element, fault)) : []
  const isAllShown = failure instanceof Failure && failure.errors.length > 0 && rest.length === 0
  if (!isAllShown) tellError(general, messageOf(failure))
  const invalid = element.querySelector('[aria-invalid]')
  if (invalid instanceof HTMLElement) invalid.focus()
}

/** @param {HTMLFormElement} element @param {{ pointer: string, detail: string }} fault */
function showFault(element, { pointer, detail }) {
  const input = element.elements.namedItem(pointer.replace('/body/', ''))
  const line = input instanceof HTMLElement && input.closest('.field')?.querySelector('.error')
  if (!(line instanceof HTMLElement && input instanceof HTMLElement)) return false
  input.setAttribute('aria-invalid', 'true')
  tellError(line, [line.textContent, detail].filter(Boolean).join(' '))
  return true
}

/** The text of a field. @param {HTMLFormElement} form @param {string} name */
export const textOf = (form, name) => String(new FormData(form).get(name) ?? '')
