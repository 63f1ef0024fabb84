import { call } from './api.js'
import { el } from './dom.js'
import { feed } from './feed.js'
import { postView } from './post-view.js'

/** @import { View } from '../types.d.ts' */

/**
 * A post and its replies.
 * @param {string} id
 * @returns {Promise<View>}
 */
export async function threadView(id) {
  const post = await call('GET', `/v1/posts/${encodeURIComponent(id)}`)
  const gone = el('p', { role: 'status' })
  const onRemoved = () => {
    gone.textContent = 'This post has been deleted.'
  }
  const { element: article } = postView(post, { isWhole: true, onRemoved })
  const replies = feed({
    path: `/v1/posts/${encodeURIComponent(id)}/replies`,
    accepts: ({ replyTo }) => replyTo === id,
    empty: 'No replies yet.',
    label: 'Replies',
  })
  const heading = el('h1', { tabindex: -1 }, 'Post by ', el('bdi', {}, post.author.displayName))
  const element = el('div', { class: 'thread' }, heading, article, gone, el('h2', {}, 'Replies'), replies.element)
  return { title: `Post by @${post.author.username}`, element, close: replies.close }
}
