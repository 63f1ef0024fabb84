import { call } from './api.js'
import { el } from './dom.js'
import { errorLine, messageOf, tellError } from './forms.js'
import { retrying } from './retry.js'

/**
 * A list of the API, a page at a time.
 * @template Item
 * @param {string} path
 * @param {(item: Item) => HTMLElement} show
 * @param {string | Node} empty - what stands there instead of no items
 * @param {() => void} [onReplace] - before all items are replaced
 */
export function pagedList(path, show, empty, onReplace) {
  const items = el('ol', { class: 'items' })
  const note = el('div', { class: 'empty', hidden: true }, empty)
  const error = errorLine()
  const more = el('button', { type: 'button', class: 'more', hidden: true, onclick: readMore }, 'Show more')
  const element = el('div', {}, items, note, error, more)
  const again = retrying(reload, element)
  /** @type {string | null} */
  let cursor = null
  let reads = 0
  let reloads = 0

  /** @param {boolean} isFirst */
  async function read(isFirst) {
    const turn = ++reads
    more.setAttribute('aria-busy', 'true')
    try {
      const query = cursor && !isFirst ? `${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(cursor)}` : ''
      const page = await call('GET', path + query)
      // A later read has begun, and its answer counts.
      if (turn !== reads) return undefined
      cursor = page.nextCursor
      more.hidden = cursor === null
      more.textContent = 'Show more'
      tellError(error)
      again.reset()
      return /** @type {Item[]} */ (page.items)
    } catch (failure) {
      if (turn === reads) {
        tellError(error, messageOf(failure))
        more.hidden = false
        if (isFirst) {
          cursor = null
          more.textContent = 'Try again'
          again.failed(failure)
        }
      }
      return undefined
    } finally {
      if (turn === reads) more.removeAttribute('aria-busy')
    }
  }

  /** Reads the first page again, in place of what is shown. */
  async function reload() {
    reloads += 1
    const found = await read(true)
    reloads -= 1
    if (!found) return
    onReplace?.()
    items.replaceChildren(...found.map((item) => el('li', {}, show(item))))
    note.hidden = found.length > 0
  }

  async function readMore() {
    if (more.getAttribute('aria-busy')) return
    if (cursor === null) {
      await reload()
      return
    }
    const found = await read(false)
    if (!found) return
    const added = found.map((item) => el('li', {}, show(item)))
    items.append(...added)
    note.hidden = items.children.length > 0
    // The button may be gone, and the keyboard's place with it.
    if (more.hidden) added[0]?.querySelector('a')?.focus()
  }

  /** What was cut off the end can be read only from the beginning. */
  function forgetCursor() {
    cursor = null
    more.hidden = false
  }

  return { element, items, note, reload, isReloading: () => reloads > 0, forgetCursor }
}
