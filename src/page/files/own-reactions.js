import { call, Failure } from './api.js'
import { createdAtOf, reactionOf, updatePost } from './known-posts.js'
import { watchReactions } from './reactions.js'
import { me } from './session.js'

/** @import { Post, Reaction } from '../types.d.ts' */

/**
 * At most one refresh in this time, however many counts change; less often while they are the doing of others, or one
 * account with a click every 2 seconds would have all pages read, and while there is no answer.
 */
const paceMs = { first: 2_000, quiet: 16_000, last: 30_000 }
const maxSingleReads = 10

/** @typedef {[id: string, reaction: Reaction | null]} OwnReaction */

/** The posts that the account may have reacted to in another browser. @type {Set<string>} */
const stale = new Set()
let isWaiting = false
let delayMs = paceMs.first
let lastReadMs = Number.NEGATIVE_INFINITY

/** After a sign that the reader's own reaction to a post may have changed: the stream names counts only. @param {string} id */
export function checkOwnReaction(id) {
  if (!me() || createdAtOf(id) === undefined) return
  stale.add(id)
  wait()
}

function wait() {
  if (isWaiting) return
  isWaiting = true
  // The stream tells all pages at once.
  const pauseMs = Math.max(paceMs.first, lastReadMs + delayMs - performance.now())
  setTimeout(refresh, pauseMs * (1 + Math.random() / 2))
}

async function refresh() {
  const account = me()?.id
  const ids = [...stale].filter((id) => createdAtOf(id) !== undefined)
  stale.clear()
  // A tab that becomes visible reads its posts anyway.
  const isRead = account && ids.length > 0 && !document.hidden
  const found = isRead ? await read(ids) : []
  isWaiting = false
  if (isRead) {
    const hasNews = found?.some(([id, reaction]) => reactionOf(id) !== reaction)
    delayMs = hasNews ? paceMs.first : Math.min(delayMs * 2, found ? paceMs.quiet : paceMs.last)
    lastReadMs = performance.now()
  }
  if (me()?.id !== account) return
  if (!found) for (const id of ids) stale.add(id)
  for (const [id, reaction] of found ?? []) updatePost(id, { viewer: { reaction } })
  if (stale.size > 0) wait()
}

/**
 * Reads the reactions to these posts; those that are left for the next time are stale again.
 * @param {string[]} ids
 * @returns {Promise<OwnReaction[] | undefined>} undefined if they must be read again: without an answer, or after a click
 */
async function read(ids) {
  const isUnchanged = watchReactions()
  try {
    const { items, nextCursor } = await call('GET', '/v1/account/reactions?limit=100')
    /** @type {Map<string, Reaction>} */
    const latest = new Map(
      items.map((/** @type {{ post: Post, value: Reaction }} */ { post, value }) => [post.id, value]),
    )
    // A reaction is later than its post: one to a later post than this would be among those found.
    const since = nextCursor === null ? '' : items.at(-1).reactedAt
    const older = ids.filter((id) => !latest.has(id) && (createdAtOf(id) ?? '') < since)
    for (const id of older.slice(maxSingleReads)) stale.add(id)
    const single = await Promise.all(older.slice(0, maxSingleReads).map(readOne))
    if (!isUnchanged()) return undefined
    /** @type {OwnReaction[]} */
    const others = ids.filter((id) => !older.includes(id)).map((id) => [id, latest.get(id) ?? null])
    return [...others, ...single.flat()]
  } catch (failure) {
    return failure instanceof Failure && failure.isTemporary ? undefined : []
  }
}

/** @param {string} id @returns {Promise<OwnReaction[]>} none if it has been deleted */
async function readOne(id) {
  /** @type {Post | undefined} */
  const post = await call('GET', `/v1/posts/${id}`).catch((failure) => {
    if (!(failure instanceof Failure && failure.status === 404)) throw failure
  })
  return post ? [[id, post.viewer?.reaction ?? null]] : []
}
