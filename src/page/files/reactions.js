import { call, Failure } from './api.js'
import { updatePost } from './known-posts.js'
import { tellTabs } from './tabs.js'

/** @import { Counts, Post, Reaction } from '../types.d.ts' */

/** @typedef {Pick<Post, 'counts' | 'viewer'>} State */
/** @typedef {{ wanted: Reaction | null, streamed: Counts | undefined }} Pending */

/** The posts whose reaction is being changed. @type {Map<string, Pending>} */
const pending = new Map()

/** How often the reader has begun to change a reaction. */
let changes = 0

/** @returns {() => boolean} whether the reader has changed no reaction since: what was read in that time is up to date */
export function watchReactions() {
  const before = changes
  const isQuiet = pending.size === 0
  return () => isQuiet && before === changes
}

/**
 * The post as it will be.
 * @param {State} state
 * @param {Reaction | null} wanted
 * @returns {State}
 */
function withReaction({ counts, viewer }, wanted) {
  const before = viewer?.reaction
  /** @param {Reaction} value */
  const change = (value) => Number(wanted === value) - Number(before === value)
  return {
    counts: { ...counts, likes: counts.likes + change('like'), dislikes: counts.dislikes + change('dislike') },
    viewer: { reaction: wanted },
  }
}

/**
 * Shows the reaction at once and sends it. Clicks while a request is under way change what is sent next.
 * @param {Post} post
 * @param {Reaction | null} wanted
 * @throws {Failure} after the post shows again what the server last acknowledged
 */
export async function react(post, wanted) {
  const path = `/v1/posts/${post.id}/reaction`
  const known = pending.get(post.id)
  /** @type {State} */
  let acknowledged = { counts: post.counts, viewer: post.viewer }
  updatePost(post.id, withReaction(acknowledged, wanted))
  if (known) {
    known.wanted = wanted
    return
  }
  /** @type {Pending} */
  const state = { wanted, streamed: undefined }
  pending.set(post.id, state)
  changes += 1
  try {
    for (;;) {
      const sent = state.wanted
      const { value, counts } = await (sent ? call('PUT', path, { body: { value: sent } }) : call('DELETE', path))
      acknowledged = { counts, viewer: { reaction: value } }
      if (state.wanted === sent) break
    }
    tellTabs({ kind: 'post', id: post.id, patch: acknowledged })
  } catch (failure) {
    if (failure instanceof Failure && failure.isUnknown) acknowledged = await readState(post.id, acknowledged)
    throw failure
  } finally {
    pending.delete(post.id)
    updatePost(post.id, { ...acknowledged, counts: state.streamed ?? acknowledged.counts })
  }
}

/** @param {string} id @param {State} fallback @returns {Promise<State>} */
const readState = (id, fallback) => call('GET', `/v1/posts/${id}`).catch(() => fallback)

/**
 * Counts of the stream. While a reaction is under way they would contradict what is shown: a later event includes it.
 * @param {string} id
 * @param {Counts} counts
 */
export function noteCounts(id, counts) {
  const state = pending.get(id)
  if (state) state.streamed = counts
  updatePost(id, { counts: state ? { replies: counts.replies } : counts })
}
