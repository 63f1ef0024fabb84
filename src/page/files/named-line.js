import { call } from './api.js'
import { el } from './dom.js'
import { field, form } from './forms.js'

/**
 * A line of a list whose name its owner can change.
 * @param {{ path: string, name: string }} item - `PATCH` of the path takes `{ name }`
 * @param {(Node | string)[]} facts
 * @param {...(Node | string)} actions
 */
export function namedLine({ path, name }, facts, ...actions) {
  const text = el('bdi', {}, name)
  const rename = el('button', { type: 'button', onclick: ask }, 'Rename')
  const shown = [el('strong', {}, text), el('span', { class: 'client' }, ...facts), rename, ...actions]
  const element = el('div', { class: 'line' }, ...shown)

  function ask() {
    const input = el('input', { name: 'name', autocomplete: 'off', dir: 'auto', required: true })
    input.value = text.textContent ?? ''
    const cancel = el('button', { type: 'button', onclick: back }, 'Cancel')
    const change = form(
      {},
      async () => {
        const changed = await call('PATCH', path, { body: { name: input.value } })
        text.textContent = changed?.name ?? input.value
        back()
      },
      'Save',
      field('Name', input),
    )
    change.querySelector('.row')?.append(cancel)
    element.replaceChildren(change)
    input.select()
  }

  function back() {
    element.replaceChildren(...shown)
    rename.focus()
  }

  return element
}
