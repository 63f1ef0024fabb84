import { actionButton } from './action-button.js'
import { activityWords } from './activity-words.js'
import { call } from './api.js'
import { clientName } from './client-name.js'
import { confirmed } from './confirm.js'
import { confirmedButton, graveButton } from './confirmed-button.js'
import { el } from './dom.js'
import { saveExport } from './export.js'
import { field, form, textOf } from './forms.js'
import { pagedList } from './paged-list.js'
import { done, part } from './part.js'
import { newPasswordField, passwordField } from './password.js'
import { linkTo } from './routes.js'
import { leave, logOut, me, passwordChanged, updateMe } from './session.js'
import { timeOf } from './time.js'

/** @import { Account, Activity, Session, View } from '../types.d.ts' */

/** @param {Account} account */
function profile({ displayName, bio }) {
  const name = el('input', { name: 'displayName', autocomplete: 'nickname', dir: 'auto' })
  const about = el('textarea', { name: 'bio', rows: 3, dir: 'auto' })
  name.value = displayName
  about.value = bio
  const saved = done()
  const edit = form(
    {},
    async () => {
      saved.textContent = ''
      updateMe(await call('PATCH', '/v1/account', { body: { displayName: name.value, bio: about.value } }))
      saved.textContent = 'Saved.'
    },
    'Save',
    field('Name', name),
    field('About you', about),
  )
  return part('Profile', edit, saved)
}

/** @param {Account} account */
function password({ username }) {
  const saved = done()
  const change = form(
    {},
    async (element) => {
      saved.textContent = ''
      const body = {
        currentPassword: textOf(element, 'currentPassword'),
        newPassword: textOf(element, 'newPassword'),
      }
      const change = () => call('PUT', '/v1/account/password', { body }).then(() => true)
      if (!(await confirmed(change, ' to change it'))) return
      element.reset()
      await passwordChanged()
      saved.textContent =
        'Changed. All other sessions have ended. Passkeys and the e-mail address stay: remove those that are not yours.'
    },
    'Change the password',
    passwordField('Current password', 'currentPassword', 'current-password').element,
    newPasswordField('New password', 'newPassword', () => username),
  )
  return part('Password', change, saved)
}

/** @param {string} ip @param {string} userAgent */
const clientOf = (ip, userAgent) =>
  el('span', { class: 'client' }, `${ip} · `, el('span', { title: userAgent }, clientName(userAgent)))

function sessions() {
  const list = pagedList('/v1/sessions', show, 'None.')
  /** @param {Session} session @returns {HTMLElement} */
  function show({ id, current, lastSeenAt, ip, userAgent }) {
    const end = () => call('DELETE', `/v1/sessions/${id}`).then(list.reload)
    const rest = current ? [el('strong', {}, 'This one')] : graveButton('End this one', 'End this session?', end)
    return el(
      'div',
      { class: 'line' },
      clientOf(ip, userAgent),
      el('span', {}, 'last used ', timeOf(lastSeenAt)),
      ...rest,
    )
  }
  const endOthers = graveButton('End all others', 'End all other sessions?', () =>
    call('DELETE', '/v1/sessions').then(list.reload),
  )
  list.reload()
  return part('Sessions', list.element, el('div', { class: 'row' }, ...endOthers))
}

function activity() {
  /** @param {Activity} item */
  const show = ({ at, event, ip, userAgent, count }) =>
    el(
      'div',
      { class: 'line' },
      el('strong', {}, `${activityWords(event)}${count && count > 1 ? ` (${count} times)` : ''}`),
      timeOf(at),
      clientOf(ip, userAgent),
    )
  const list = pagedList('/v1/account/activity', show, 'Nothing yet.')
  list.reload()
  return part('Activity', list.element)
}

function ownData() {
  const saved = done()
  const save = async () => {
    saved.textContent = ''
    await saveExport()
    saved.textContent = 'Saved in your downloads.'
  }
  return part(
    'Your data',
    el('p', {}, 'Everything that Rookery keeps of you, one JSON object in each line.'),
    ...confirmedButton('Export', save),
    saved,
  )
}

function deletion() {
  const act = async () => {
    await call('DELETE', '/v1/account')
    leave()
    location.hash = linkTo.newest
  }
  const warning = 'Your posts, replies, likes and follows go with it. This cannot be undone.'
  return part(
    'Delete the account',
    el('p', {}, warning),
    ...graveButton('Delete the account', 'Delete it for good?', act, ' to delete the account for good'),
  )
}

function security() {
  const link = el('a', { href: linkTo.security }, 'Passkeys, authenticator app, devices and e-mail')
  return part('Security', el('p', {}, link))
}

function logOutPart() {
  const end = async (isEverywhere = false) => {
    await logOut(isEverywhere)
    location.hash = linkTo.newest
  }
  const everywhere = graveButton('Log out everywhere', 'End all your sessions?', () => end(true))
  return el('div', { class: 'row' }, ...actionButton('Log out', () => end()), ...everywhere)
}

/** One's own account. @returns {View} */
export function settingsView() {
  const account = me()
  const parts = account
    ? [logOutPart(), profile(account), password(account), security(), sessions(), activity(), ownData(), deletion()]
    : []
  const element = el('div', { class: 'settings' }, el('h1', { tabindex: -1 }, 'Your account'), ...parts)
  return { title: 'Your account', element }
}
