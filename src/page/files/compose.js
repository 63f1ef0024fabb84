import { call } from './api.js'
import { el } from './dom.js'
import { field, form, newId } from './forms.js'
import { me } from './session.js'

/** @import { Post } from '../types.d.ts' */

const maxLength = 500

/** What was written and not sent, by account and post: a view may be replaced while it is used. @type {Map<string, string>} */
const drafts = new Map()

/** In code points, of the form in which the server keeps it. @param {string} text */
const lengthOf = (text) => [...text.normalize('NFC')].length

/** Not crypto.randomUUID(), which exists on https and loopback only. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-')

/**
 * A textarea with a count of what is left; Ctrl+Enter sends.
 * @param {{ label: string, button: string, text?: string | undefined, send: (text: string) => Promise<unknown> }} parts
 */
function textForm({ label, button, text = '', send }) {
  const left = el('span', { class: 'left', id: newId('left') })
  const input = el('textarea', { name: 'text', rows: 3, dir: 'auto', placeholder: label })
  input.value = text
  const count = () => {
    const rest = maxLength - lengthOf(input.value)
    left.textContent = rest < 0 ? `${-rest} characters too many` : `${rest} characters left`
    left.classList.toggle('over', rest < 0)
  }
  input.addEventListener('input', count)
  count()
  const element = form({ class: 'compose' }, async () => send(input.value), button, field(label, input))
  input.setAttribute('aria-describedby', `${input.getAttribute('aria-describedby')} ${left.id}`)
  element.querySelector('.row')?.append(left)
  input.addEventListener('keydown', ({ key, ctrlKey, metaKey }) => {
    if (key === 'Enter' && (ctrlKey || metaKey)) element.requestSubmit()
  })
  return { element, input, count }
}

/**
 * Writes a post or a reply.
 * @param {{ label: string, button: string, replyTo?: string, onPosted: (post: Post) => void }} parts
 */
export function composer({ label, button, replyTo, onPosted }) {
  // The key stays until the post is acknowledged, so that to press the button again creates no second one.
  let sent = { text: '', key: '' }
  const draft = `${me()?.id} ${replyTo}`
  const { element, input, count } = textForm({
    label,
    button,
    text: drafts.get(draft),
    async send(text) {
      if (sent.text !== text) sent = { text, key: newKey() }
      const body = { text, ...(replyTo && { replyTo }) }
      const post = await call('POST', '/v1/posts', { body, headers: { 'idempotency-key': sent.key } })
      sent = { text: '', key: '' }
      if (input.value === text) input.value = ''
      drafts.delete(draft)
      count()
      onPosted(post)
    },
  })
  input.addEventListener('input', () => drafts.set(draft, input.value))
  return { element, input }
}

/**
 * @param {Post} post
 * @param {(post: Post) => void} onEdited
 */
export function editor(post, onEdited) {
  return textForm({
    label: 'Edit the post',
    button: 'Save',
    text: post.text,
    send: async (text) => onEdited(await call('PATCH', `/v1/posts/${post.id}`, { body: { text } })),
  })
}
