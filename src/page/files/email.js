import { call } from './api.js'
import { confirmed } from './confirm.js'
import { graveButton } from './confirmed-button.js'
import { el } from './dom.js'
import { field, form } from './forms.js'
import { readPart, whyOff } from './part.js'
import { timeOf } from './time.js'

/** @import { Email } from '../types.d.ts' */
/** @import { Body } from './part.js' */

/** @param {Email} state */
function stateOf({ email, verifiedAt, pending }) {
  const states = []
  if (email) states.push(el('p', {}, el('strong', {}, email), ' · verified ', timeOf(verifiedAt ?? '')))
  if (pending)
    states.push(el('p', {}, el('strong', {}, pending), ' waits for you: open the link in the mail, within 24 hours.'))
  const none = 'None yet. With one, you can reset a password that you forgot, and hear of logins that were not yours.'
  return states.length > 0 ? states : [el('p', {}, none)]
}

/** @param {Email} state @param {Body} body */
function setForm(state, { reload, replace }) {
  const input = el('input', { name: 'email', type: 'email', autocomplete: 'email', required: true })
  const set = () => call('PUT', '/v1/account/email', { body: { email: input.value.trim() } }).then(() => true)
  return form(
    {},
    async () => {
      const isSet = await confirmed(set, ' to set the address').catch((failure) => replace(whyOff(failure)))
      if (isSet) await reload('A link is on its way to the address.')
    },
    'Send a link',
    field(
      state.email ? 'Another e-mail address' : 'E-mail address',
      input,
      el('p', { class: 'hint' }, 'Others never see it.'),
    ),
  )
}

export function email() {
  /** @param {Email} state @param {Body} body */
  function show(state, body) {
    const remove = async () => {
      await call('DELETE', '/v1/account/email')
      await body.reload('Removed.')
    }
    const button = graveButton('Remove the address', 'Remove it?', remove, ' to remove the address')
    return [
      ...stateOf(state),
      setForm(state, body),
      ...(state.email || state.pending ? [el('div', { class: 'row' }, ...button)] : []),
    ]
  }
  return readPart('E-mail', '/v1/account/email', show)
}
