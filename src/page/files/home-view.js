import { composer } from './compose.js'
import { el } from './dom.js'
import { feed } from './feed.js'
import { foldedRobotsHint, robotsHint } from './robots-hint.js'
import { linkTo } from './routes.js'
import { me } from './session.js'

/** @import { Post, View } from '../types.d.ts' */

/** @param {Post} post */
const isRoot = ({ replyTo }) => replyTo === null

function welcome() {
  return el(
    'section',
    { class: 'welcome' },
    el('h1', { class: 'lead', tabindex: -1 }, 'Short posts, likes and dislikes, as they happen.'),
    el(
      'p',
      { class: 'row' },
      el('a', { class: 'button primary', href: linkTo.signUp }, 'Sign up'),
      el('a', { class: 'button', href: linkTo.logIn }, 'Log in'),
    ),
  )
}

/**
 * @param {string} title
 * @param {ReturnType<typeof feed>} posts
 * @param {...HTMLElement} hints
 * @returns {View}
 */
function postsView(title, posts, ...hints) {
  const write = () => composer({ label: 'What is new?', button: 'Post', onPosted: posts.addOwn }).element
  const top = me() ? [el('h1', { tabindex: -1 }, title), write()] : [welcome()]
  const element = el('div', {}, ...top, ...hints, posts.element)
  return { title, element, close: posts.close }
}

export function newestView() {
  const empty = el('div', {}, el('p', {}, 'Nothing has been posted yet.'), ...robotsHint())
  const posts = feed({ path: '/v1/posts', accepts: isRoot, empty, label: 'Newest posts' })
  return postsView('Newest', posts, ...foldedRobotsHint())
}

export function timelineView() {
  const empty = 'Follow accounts, and their posts are here.'
  return postsView(
    'Following',
    feed({
      path: '/v1/timeline',
      scope: 'timeline',
      accepts: isRoot,
      empty,
      label: 'Posts of accounts that you follow',
    }),
  )
}
