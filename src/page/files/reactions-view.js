import { call } from './api.js'
import { el } from './dom.js'
import { errorLine, messageOf, tellError } from './forms.js'
import { pagedList } from './paged-list.js'
import { postView } from './post-view.js'
import { retrying } from './retry.js'

/** @import { Post, View } from '../types.d.ts' */

const days = 30
const dayMs = 86_400_000

/** The likes and dislikes of all accounts by day. */
function dailyTable() {
  const error = errorLine()
  const body = el('tbody')
  /** @param {number} ms */
  const date = (ms) => new Date(ms).toISOString().slice(0, 10)
  const again = retrying(read, body)
  async function read() {
    try {
      const path = `/v1/analytics/reactions?from=${date(Date.now() - (days - 1) * dayMs)}&to=${date(Date.now())}`
      show((await call('GET', path)).items)
      tellError(error)
      again.reset()
    } catch (failure) {
      tellError(error, messageOf(failure))
      again.failed(failure)
    }
  }
  /** @param {{ date: string, likes: number, dislikes: number }[]} items */
  function show(items) {
    for (const { date, likes, dislikes } of items.toReversed())
      if (likes + dislikes > 0)
        body.append(
          el('tr', {}, el('th', { scope: 'row' }, date), el('td', {}, String(likes)), el('td', {}, String(dislikes))),
        )
  }
  read()
  const head = ['Day (UTC)', 'Likes', 'Dislikes'].map((name) => el('th', { scope: 'col' }, name))
  return [el('table', {}, el('thead', {}, el('tr', {}, ...head)), body), error]
}

/** What one has liked and disliked, and the sums of all accounts. @returns {View} */
export function reactionsView() {
  /** @param {{ post: Post }} item */
  const show = ({ post }) => postView(post).element
  const own = pagedList('/v1/account/reactions', show, 'You have not liked or disliked a post yet.')
  own.reload()
  const reread = () => document.hidden || own.reload()
  document.addEventListener('visibilitychange', reread)
  const title = 'Your likes and dislikes'
  const element = el(
    'div',
    {},
    el('h1', { tabindex: -1 }, title),
    own.element,
    el('h2', {}, `Of all accounts, in the last ${days} days`),
    ...dailyTable(),
  )
  return { title, element, close: () => document.removeEventListener('visibilitychange', reread) }
}
