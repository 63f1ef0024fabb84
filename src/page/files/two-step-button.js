import { el } from './dom.js'

const patienceMs = 6_000

/**
 * A button that acts at the second press; it forgets the first after 6 seconds, and at Escape.
 * @param {string} label
 * @param {string} question
 * @param {() => Promise<unknown>} act
 */
export function twoStepButton(label, question, act) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  const button = el('button', { type: 'button', class: 'grave', onclick: press }, label)
  button.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') reset()
  })
  function reset() {
    clearTimeout(timer)
    timer = undefined
    button.textContent = label
    button.classList.remove('asking')
  }
  async function press() {
    if (timer === undefined) {
      button.textContent = question
      button.classList.add('asking')
      timer = setTimeout(reset, patienceMs)
      return
    }
    reset()
    button.disabled = true
    await act()
    button.disabled = false
  }
  return button
}
