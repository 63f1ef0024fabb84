import { call } from './api.js'
import { graveButton } from './confirmed-button.js'
import { el } from './dom.js'
import { namedLine } from './named-line.js'
import { readPart } from './part.js'
import { timeOf } from './time.js'

/** @import { Device, Page } from '../types.d.ts' */
/** @import { Body } from './part.js' */

/** @param {Device} device @param {Body} body */
function line({ id, name, current, firstSeenAt, firstIp, lastUsedAt, trustedUntil }, { reload }) {
  const path = `/v1/devices/${id}`
  const facts = [
    'last used ',
    timeOf(lastUsedAt),
    ' · first used ',
    timeOf(firstSeenAt),
    ...(firstIp ? [` from ${firstIp}`] : []),
    ...(trustedUntil ? [' · needs no code until ', timeOf(trustedUntil)] : []),
  ]
  const forget = async () => {
    await call('DELETE', path)
    await reload('Forgotten.')
  }
  const actions = graveButton('Forget', 'Forget it?', forget, ' to forget a device')
  return el(
    'li',
    {},
    namedLine({ path, name }, [...(current ? [el('strong', {}, 'This one'), ' · '] : []), ...facts], ...actions),
  )
}

export function devices() {
  /** @param {Page<Device>} answer @param {Body} body */
  function show({ items }, body) {
    const forgetAll = async () => {
      await call('DELETE', '/v1/devices')
      await body.reload('All are forgotten.')
    }
    return [
      el(
        'p',
        {},
        'Browsers that have logged in. To forget one does not log it out, but its next login counts as that of a new one.',
      ),
      el('ul', { class: 'items' }, ...items.map((device) => line(device, body))),
      el(
        'div',
        { class: 'row' },
        ...graveButton('Forget all', 'Forget all devices?', forgetAll, ' to forget all devices'),
      ),
    ]
  }
  return readPart('Devices', '/v1/devices?limit=100', show)
}
