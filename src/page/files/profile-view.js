import { call } from './api.js'
import { counted, el } from './dom.js'
import { feed } from './feed.js'
import { errorLine, messageOf, tellError } from './forms.js'
import { pagedList } from './paged-list.js'
import { nameOf } from './post-view.js'
import { linkTo } from './routes.js'
import { me } from './session.js'
import { timeOf } from './time.js'

/** @import { Account, View } from '../types.d.ts' */

/** @param {string} username */
const pathOf = (username) => `/v1/accounts/${encodeURIComponent(username)}`

/**
 * @param {Account} account
 * @param {(difference: number) => void} onFollowed
 */
function followButton(account, onFollowed) {
  const error = errorLine()
  let isFollowing = account.viewer?.following === true
  const button = el('button', { type: 'button', class: 'follow', onclick: toggle })
  function show() {
    button.textContent = isFollowing ? 'Unfollow' : 'Follow'
  }
  async function toggle() {
    if (button.getAttribute('aria-busy')) return
    button.setAttribute('aria-busy', 'true')
    tellError(error)
    try {
      await call(isFollowing ? 'DELETE' : 'PUT', `${pathOf(account.username)}/follow`)
      isFollowing = !isFollowing
      onFollowed(isFollowing ? 1 : -1)
    } catch (failure) {
      tellError(error, messageOf(failure))
    }
    button.removeAttribute('aria-busy')
    show()
  }
  show()
  return [button, error]
}

/**
 * An account and its posts, replies included.
 * @param {string} name
 * @returns {Promise<View>}
 */
export async function profileView(name) {
  /** @type {Account} */
  const account = await call('GET', pathOf(name))
  const { username, displayName, bio, counts, createdAt } = account
  const isOwn = me()?.id === account.id
  const posts = feed({
    path: `${pathOf(username)}/posts`,
    accepts: ({ author }) => author.id === account.id,
    empty: 'No posts yet.',
    label: `Posts by ${username}`,
  })
  const followers = el('a', { href: linkTo.accounts(username, 'followers') }, counted(counts.followers, 'follower'))
  /** @param {number} difference */
  function onFollowed(difference) {
    counts.followers += difference
    followers.textContent = counted(counts.followers, 'follower')
  }
  const element = el(
    'div',
    { class: 'profile' },
    el('h1', { tabindex: -1 }, el('bdi', {}, displayName)),
    el('p', { class: 'handle' }, `@${username} · since `, timeOf(createdAt)),
    ...(bio ? [el('p', { class: 'text', dir: 'auto' }, bio)] : []),
    el(
      'p',
      { class: 'row' },
      el('span', {}, counted(counts.posts, 'post')),
      followers,
      el('a', { href: linkTo.accounts(username, 'following') }, `${counts.following.toLocaleString('en')} following`),
    ),
    ...(me() && !isOwn ? followButton(account, onFollowed) : []),
    ...(isOwn ? [el('p', {}, el('a', { href: linkTo.reactions }, 'Your likes and dislikes'))] : []),
    posts.element,
  )
  return { title: `@${username}`, element, close: posts.close }
}

/**
 * The followers of an account, or the accounts that it follows.
 * @param {string} username
 * @param {string} list - `followers` or `following`
 * @returns {View}
 */
export function accountsView(username, list) {
  const title = list === 'followers' ? `Followers of @${username}` : `Followed by @${username}`
  /** @param {Account} account */
  const show = (account) => el('div', { class: 'post' }, nameOf(account))
  const accounts = pagedList(`${pathOf(username)}/${list}`, show, 'None yet.')
  accounts.reload()
  const element = el('div', {}, el('h1', { tabindex: -1 }, title), accounts.element)
  return { title, element }
}
