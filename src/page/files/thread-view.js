import { call, Failure } from './api.js'
import { el } from './dom.js'
import { feed } from './feed.js'
import { removePost, updatePost } from './known-posts.js'
import { postView } from './post-view.js'
import { watchReactions } from './reactions.js'

/** @import { View } from '../types.d.ts' */

/**
 * A post and its replies.
 * @param {string} id
 * @returns {Promise<View>}
 */
export async function threadView(id) {
  const path = `/v1/posts/${encodeURIComponent(id)}`
  const post = await call('GET', path)
  const gone = el('p', { role: 'status' })
  const onRemoved = () => {
    gone.textContent = 'This post has been deleted.'
  }
  const { element: article } = postView(post, { isWhole: true, onRemoved })
  async function reread() {
    const isUnchanged = watchReactions()
    try {
      const { text, editedAt, counts, viewer } = await call('GET', path)
      updatePost(id, isUnchanged() ? { text, editedAt, counts, viewer } : { text, editedAt })
    } catch (failure) {
      // The stream is opened again after an outage, and the post then read again.
      if (failure instanceof Failure && failure.status === 404) removePost(id)
    }
  }
  const replies = feed({
    path: `${path}/replies`,
    accepts: ({ replyTo }) => replyTo === id,
    empty: 'No replies yet.',
    label: 'Replies',
    onFresh: reread,
  })
  const heading = el('h1', { tabindex: -1 }, 'Post by ', el('bdi', {}, post.author.displayName))
  const element = el('div', { class: 'thread' }, heading, article, gone, el('h2', {}, 'Replies'), replies.element)
  return { title: `Post by @${post.author.username}`, element, close: replies.close }
}
