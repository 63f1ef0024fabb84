import { call } from './api.js'
import { clientName } from './client-name.js'
import { confirmedButton, graveButton } from './confirmed-button.js'
import { el } from './dom.js'
import { namedLine } from './named-line.js'
import { readPart } from './part.js'
import { createPasskey, hasPasskeys, nameHint } from './passkey.js'
import { timeOf } from './time.js'

/** @import { Page, Passkey } from '../types.d.ts' */
/** @import { Body } from './part.js' */

/** @param {Passkey} passkey @param {Body} body */
function line({ id, name, createdAt, lastUsedAt, backedUp }, { reload }) {
  const path = `/v1/passkeys/${id}`
  const facts = [
    'added ',
    timeOf(createdAt),
    ...(lastUsedAt ? [' · last used ', timeOf(lastUsedAt)] : [' · never used']),
    backedUp ? ' · backed up' : ' · on one device only',
  ]
  const remove = async () => {
    await call('DELETE', path)
    await reload('Removed. Remove it from your device, too.')
  }
  return el(
    'li',
    {},
    namedLine({ path, name }, facts, ...graveButton('Remove', 'Remove it?', remove, ' to remove a passkey')),
  )
}

/** @param {Body} body */
function addButton({ reload }) {
  const hint = nameHint()
  if (hint) return [hint]
  if (!hasPasskeys) return [el('p', { class: 'hint' }, 'This browser has no passkeys.')]
  const add = async () => {
    const response = await createPasskey(await call('POST', '/v1/passkeys/options'))
    await call('POST', '/v1/passkeys', { body: { response, name: clientName(navigator.userAgent) } })
    await reload('Added. You can log in with it from now on.')
  }
  return [el('div', { class: 'row' }, ...confirmedButton('Add a passkey', add, ' to add a passkey'))]
}

export function passkeys() {
  /** @param {Page<Passkey>} answer @param {Body} body */
  const show = ({ items }, body) => [
    el(
      'p',
      {},
      'Your fingerprint, your face or the PIN of a device instead of the password. A passkey cannot be guessed, and works on no other page.',
    ),
    el('ul', { class: 'items' }, ...items.map((passkey) => line(passkey, body))),
    ...addButton(body),
  ]
  return readPart('Passkeys', '/v1/passkeys?limit=100', show)
}
