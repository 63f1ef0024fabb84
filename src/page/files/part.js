import { isSwitchedOff } from './action-button.js'
import { call } from './api.js'
import { el } from './dom.js'
import { messageOf, newId } from './forms.js'
import { retrying } from './retry.js'

/** A titled part of a view. @param {string} title @param {...(Node | string)} children */
export function part(title, ...children) {
  const id = newId('part')
  return el('section', { class: 'part', 'aria-labelledby': id }, el('h2', { id, tabindex: -1 }, title), ...children)
}

/** Where a success is told. */
export const done = () => el('p', { class: 'done', role: 'status' })

/**
 * What the server says of what it has switched off.
 * @param {unknown} failure
 * @throws any other failure
 */
export function whyOff(failure) {
  if (!isSwitchedOff(failure)) throw failure
  return el('p', { role: 'alert' }, messageOf(failure))
}

/**
 * The changing content of a part; its heading gets the focus.
 * @typedef {object} Body
 * @property {(message?: string) => Promise<void>} reload - reads it again after a change
 * @property {(...children: (Node | string)[]) => void} replace - shows something else until it is read again
 */

/**
 * A part that shows an answer of the API. If the server has it switched off, the answer's detail says why.
 * @template Answer
 * @param {string} title
 * @param {string} path
 * @param {(answer: Answer, body: Body) => (Node | string)[]} show
 */
export function readPart(title, path, show) {
  const content = el('div')
  const said = done()
  const element = part(title, said, content)
  const again = retrying(read, content)
  let reads = 0

  async function read() {
    const turn = ++reads
    try {
      const answer = await call('GET', path)
      if (turn !== reads) return
      again.reset()
      content.replaceChildren(...show(answer, { reload, replace }))
    } catch (failure) {
      if (turn !== reads) return
      content.replaceChildren(el('p', { role: 'alert' }, messageOf(failure)))
      again.failed(failure)
    }
  }

  async function reload(message = '') {
    await read()
    said.textContent = message
    // The button that was pressed is gone, and the keyboard's place with it.
    focusHeading()
  }

  /** @param {...(Node | string)} children */
  function replace(...children) {
    reads += 1
    said.textContent = ''
    content.replaceChildren(...children)
    focusHeading()
  }

  const focusHeading = () => element.querySelector('h2')?.focus()

  read()
  return element
}
