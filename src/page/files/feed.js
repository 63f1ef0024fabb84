import { el } from './dom.js'
import { removePost, updatePost } from './known-posts.js'
import { followStream } from './live.js'
import { checkOwnReaction } from './own-reactions.js'
import { pagedList } from './paged-list.js'
import { postView } from './post-view.js'
import { noteCounts } from './reactions.js'
import { me } from './session.js'

/** @import { Post } from '../types.d.ts' */

/** More would make the page slow, and the list can be read further from its end. */
const maxPosts = 100
const maxHeld = 50
/** Posts arrive together at most this often, so that robots do not make the page flicker. */
const paceMs = 250
const nearTopPx = 400
/** How long a mouse that rests in the list keeps it still. */
const pointerRestMs = 10_000

/**
 * A list of posts, of which new ones arrive while it is at its top. They wait while it is paused, scrolled, pointed at
 * or used with the keyboard: nothing moves under a reader's hand.
 * @param {object} parts
 * @param {string} parts.path
 * @param {string} [parts.scope] - of the stream
 * @param {(post: Post) => boolean} parts.accepts - which posts of the stream belong to it
 * @param {string | Node} parts.empty
 * @param {string} parts.label
 * @param {() => void} [parts.onFresh] - what was read before may be out of date
 */
export function feed({ path, scope, accepts, empty, label, onFresh }) {
  /** @type {Map<string, ReturnType<typeof postView>>} */
  const views = new Map()
  /** @type {Post[]} The newest first. */
  let held = []
  let isPaused = false

  let pointerMovedAt = Number.NEGATIVE_INFINITY

  const list = pagedList(`${path}?limit=50`, showOld, empty, forgetAll)
  const state = el('span', { class: 'state', role: 'status' })
  const pause = el('button', { type: 'button', onclick: togglePause }, 'Pause')
  const waiting = el('button', { type: 'button', class: 'waiting', hidden: true, onclick: showHeld })
  const element = el(
    'section',
    { class: 'feed', 'aria-label': label },
    el('div', { class: 'bar' }, state, pause),
    waiting,
    list.element,
  )

  /** @param {Post} post */
  function showOld(post) {
    return viewOf(post).element
  }

  list.items.addEventListener('pointermove', () => {
    pointerMovedAt = performance.now()
  })

  function forgetAll() {
    for (const view of views.values()) view.close()
    views.clear()
  }

  /** @param {Post} post */
  function viewOf(post) {
    const view = postView(post, { onRemoved: () => forget(post.id) })
    views.set(post.id, view)
    return view
  }

  /** @param {string} id */
  function forget(id) {
    views.get(id)?.element.closest('li')?.remove()
    views.delete(id)
    list.note.hidden = list.items.children.length > 0
  }

  /** @param {Post} post */
  function add(post) {
    if (!accepts(post) || views.has(post.id) || held.some(({ id }) => id === post.id)) return
    held = [post, ...held].slice(0, maxHeld)
  }

  function isInUse() {
    const { items } = list
    const isPointedAt = items.matches(':hover') && performance.now() - pointerMovedAt < pointerRestMs
    const isFarDown = items.getBoundingClientRect().top < -nearTopPx
    return isPaused || isPointedAt || isFarDown || items.querySelector(':focus-visible') !== null
  }

  /** Takes the posts that wait to the top of the list. */
  function showHeld() {
    const posts = held.filter(({ id }) => !views.has(id))
    held = []
    const viewer = me() ? { reaction: null } : null
    const added = posts.map((post) =>
      el('li', { class: 'new' }, viewOf({ ...post, viewer: post.viewer ?? viewer }).element),
    )
    list.items.prepend(...added)
    for (const { id, counts } of posts) if (counts.likes + counts.dislikes > 0) checkOwnReaction(id)
    if (added.length > 0) list.note.hidden = true
    trim()
    showWaiting()
  }

  function trim() {
    if (list.items.children.length > maxPosts) list.forgetCursor()
    while (list.items.children.length > maxPosts) {
      const id = list.items.lastElementChild?.querySelector('article')?.dataset.id ?? ''
      views.get(id)?.close()
      views.delete(id)
      list.items.lastElementChild?.remove()
    }
  }

  function showWaiting() {
    const isHidden = held.length === 0
    const count = held.length === maxHeld ? `${maxHeld} or more` : held.length
    const text = isHidden ? '' : `Show ${count} new ${held.length === 1 ? 'post' : 'posts'}`
    if (waiting.textContent !== text) waiting.textContent = text
    waiting.hidden = isHidden
  }

  function togglePause() {
    isPaused = !isPaused
    pause.textContent = isPaused ? 'Go on' : 'Pause'
    element.classList.toggle('paused', isPaused)
  }

  const pace = setInterval(() => {
    // What arrives during a read may be missing in its answer.
    if (held.length === 0 || list.isReloading()) return
    if (isInUse()) showWaiting()
    else showHeld()
  }, paceMs)

  /** @param {Post} post */
  const isHeld = ({ id }) => held.findIndex((each) => each.id === id)
  const texts = { connecting: 'Connecting…', live: 'Live', offline: 'Reconnecting…' }

  const stop = followStream(
    {
      onFresh() {
        list.reload()
        onFresh?.()
      },
      onPost: add,
      onEdited(post) {
        const { text, editedAt } = post
        updatePost(post.id, { text, editedAt })
        const index = isHeld(post)
        if (index >= 0) held[index] = post
      },
      onCounts(id, counts) {
        noteCounts(id, counts)
        checkOwnReaction(id)
        for (const post of held) if (post.id === id) post.counts = counts
      },
      onRemoved(id) {
        held = held.filter((post) => post.id !== id)
        showWaiting()
        removePost(id)
      },
      onState(now) {
        state.textContent = texts[now]
        state.dataset.state = now
      },
    },
    scope,
  )
  // Not only when the stream opens: it may be refused.
  list.reload()

  return {
    element,
    /** Shows a post that was written here, without waiting for the stream. @param {Post} post */
    addOwn(post) {
      add(post)
      showHeld()
    },
    close() {
      stop()
      clearInterval(pace)
    },
  }
}
