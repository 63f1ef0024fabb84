import { devices } from './devices.js'
import { el } from './dom.js'
import { email } from './email.js'
import { passkeys } from './passkeys.js'
import { linkTo } from './routes.js'
import { secondFactor } from './second-factor.js'
import { me } from './session.js'

/** @import { View } from '../types.d.ts' */

/** How one proves to be the owner of the account. @returns {View} */
export function securityView() {
  const parts = me() ? [passkeys(), secondFactor(), devices(), email()] : []
  const back = el('p', {}, el('a', { href: linkTo.settings }, 'Your account'))
  return { title: 'Security', element: el('div', {}, el('h1', { tabindex: -1 }, 'Security'), back, ...parts) }
}
