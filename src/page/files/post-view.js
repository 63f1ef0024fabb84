import { call } from './api.js'
import { composer, editor } from './compose.js'
import { counted, el } from './dom.js'
import { errorLine, messageOf, tellError } from './forms.js'
import { showsNoMore, showsPost, updatePost } from './known-posts.js'
import { react } from './reactions.js'
import { linkTo } from './routes.js'
import { me } from './session.js'
import { tellTabs } from './tabs.js'
import { timeOf } from './time.js'
import { twoStepButton } from './two-step-button.js'

/** @import { Author, Post, Reaction } from '../types.d.ts' */

/** @param {Author} author */
export function nameOf({ username, displayName }) {
  return el(
    'a',
    { class: 'author', href: linkTo.profile(username) },
    el('bdi', { class: 'display' }, displayName),
    el('span', { class: 'handle' }, `@${username}`),
  )
}

/**
 * A post with its reactions and what its reader can do with it. It follows the post's changes until it is removed.
 * @param {Post} first
 * @param {{ isWhole?: boolean, onRemoved?: () => void }} [options] - whether long texts are shown to their end
 */
export function postView(first, { isWhole = false, onRemoved } = {}) {
  let post = first
  const text = el('p', { class: isWhole ? 'text' : 'text short', dir: 'auto' })
  const edited = el('span', { class: 'edited' })
  const replies = el('a', { class: 'replies', href: linkTo.post(post.id) })
  const error = errorLine()
  const extra = el('div')
  const like = reactionButton('like', 'Like')
  const dislike = reactionButton('dislike', 'Dislike')
  const isOwn = me()?.id === post.author.id
  const actions = el('div', { class: 'actions' }, like, dislike, replyButton(), ...(isOwn ? ownButtons() : []), replies)
  const element = el(
    'article',
    { class: 'post', 'data-id': post.id, 'aria-label': `Post by ${post.author.username}` },
    el(
      'header',
      {},
      nameOf(post.author),
      el('a', { class: 'when', href: linkTo.post(post.id) }, timeOf(post.createdAt)),
      edited,
      ...(post.replyTo ? [el('a', { class: 'when', href: linkTo.post(post.replyTo) }, 'in reply to a post')] : []),
    ),
    text,
    actions,
    error,
    extra,
  )

  /** @param {Reaction} value @param {string} label */
  function reactionButton(value, label) {
    return el(
      'button',
      { type: 'button', class: value, onclick: () => toggle(value) },
      `${label} `,
      el('span', { class: 'count' }),
    )
  }

  function show() {
    const { counts, viewer } = post
    if (text.textContent !== post.text) text.textContent = post.text
    edited.textContent = post.editedAt ? 'edited' : ''
    replies.hidden = counts.replies === 0
    replies.textContent = counts.replies ? counted(counts.replies, 'reply', 'replies') : ''
    showCount(like, counts.likes, viewer?.reaction === 'like')
    showCount(dislike, counts.dislikes, viewer?.reaction === 'dislike')
  }

  /** @param {Reaction} value */
  async function toggle(value) {
    if (!me()) {
      location.hash = linkTo.signUp
      return
    }
    tellError(error)
    const wanted = post.viewer?.reaction === value ? null : value
    await react(post, wanted).catch((failure) => tellError(error, messageOf(failure)))
  }

  /** What is open below the post, and the button that opened it. @type {HTMLButtonElement | undefined} */
  let opener

  /** @param {HTMLButtonElement} button @param {Element} content @param {HTMLElement} input */
  function openExtra(button, content, input) {
    opener?.setAttribute('aria-expanded', 'false')
    opener = button
    extra.replaceChildren(content)
    button.setAttribute('aria-expanded', 'true')
    input.focus()
  }

  /** @param {HTMLButtonElement} button */
  function closeExtra(button) {
    extra.replaceChildren()
    button.setAttribute('aria-expanded', 'false')
    opener = undefined
    button.focus()
  }

  extra.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape' && opener) closeExtra(opener)
  })

  function replyButton() {
    const button = el('button', { type: 'button', 'aria-expanded': 'false', onclick: toggleReply }, 'Reply')
    function toggleReply() {
      if (!me()) location.hash = linkTo.signUp
      else if (button.getAttribute('aria-expanded') === 'true') close()
      else {
        const { element, input } = composer({ label: 'Your reply', button: 'Reply', replyTo: post.id, onPosted: close })
        openExtra(button, element, input)
      }
    }
    const close = () => closeExtra(button)
    return button
  }

  function ownButtons() {
    const edit = el('button', { type: 'button', 'aria-expanded': 'false', onclick: toggleEdit }, 'Edit')
    function toggleEdit() {
      if (edit.getAttribute('aria-expanded') === 'true') closeExtra(edit)
      else startEdit()
    }
    function startEdit() {
      const { element, input } = editor(post, ({ text, editedAt }) => {
        updatePost(post.id, { text, editedAt })
        tellTabs({ kind: 'post', id: post.id, patch: { text, editedAt } })
        closeExtra(edit)
      })
      openExtra(edit, element, input)
    }
    const remove = twoStepButton('Delete', 'Delete this post?', async () => {
      tellError(error)
      await call('DELETE', `/v1/posts/${post.id}`).then(view.remove, (failure) => tellError(error, messageOf(failure)))
    })
    return [edit, remove]
  }

  const view = {
    createdAt: first.createdAt,
    get reaction() {
      return post.viewer?.reaction ?? null
    },
    /** @param {import('../types.d.ts').PostPatch} patch */
    update(patch) {
      post = { ...post, ...patch, counts: { ...post.counts, ...patch.counts } }
      show()
    },
    remove() {
      view.close()
      const hadFocus = element.contains(document.activeElement)
      onRemoved?.()
      element.remove()
      if (hadFocus) document.getElementById('main')?.focus()
    },
    close: () => showsNoMore(first.id, view),
  }
  showsPost(post.id, view)
  show()
  return { id: post.id, element, remove: view.remove, close: view.close }
}

/** @param {HTMLButtonElement} button @param {number} count @param {boolean} isPressed */
function showCount(button, count, isPressed) {
  button.setAttribute('aria-pressed', String(isPressed))
  const text = count.toLocaleString('en')
  const shown = button.querySelector('.count')
  if (!shown || shown.textContent === text) return
  const hasChanged = shown.textContent !== ''
  shown.textContent = text
  // Restarts the animation.
  if (hasChanged) shown.replaceWith(Object.assign(shown.cloneNode(true), { className: 'count moved' }))
}
