import { call } from './api.js'
import { confirmed } from './confirm.js'
import { confirmedButton, graveButton } from './confirmed-button.js'
import { el } from './dom.js'
import { field, form } from './forms.js'
import { readPart } from './part.js'
import { copyButton, recoveryCodes } from './recovery-codes.js'
import { timeOf } from './time.js'

/** @import { Enrolment, SecondFactor } from '../types.d.ts' */
/** @import { Body } from './part.js' */

const fewCodes = 3

/** @param {Body} body */
async function enrol(body) {
  /** @type {Enrolment} */
  const { secret, uri, qrCode } = await call('POST', '/v1/second-factor/totp')
  const input = el('input', {
    name: 'code',
    inputmode: 'numeric',
    autocomplete: 'one-time-code',
    required: true,
  })
  const activate = form(
    {},
    async () => {
      const code = input.value.replace(/\s/g, '')
      const act = () => call('POST', '/v1/second-factor/totp/confirm', { body: { code } })
      showCodes(await confirmed(act, ' to set up the app'), body)
    },
    'Switch it on',
    field('Code', input, el('p', { class: 'hint' }, 'The six digits that the app shows then.')),
  )
  activate.querySelector('.row')?.append(el('button', { type: 'button', onclick: () => body.reload() }, 'Cancel'))
  body.replace(
    el('p', {}, 'Scan this with an authenticator app, or ', el('a', { href: uri }, 'open it on this device'), '.'),
    el('img', {
      class: 'qr',
      src: `data:image/svg+xml,${encodeURIComponent(qrCode)}`,
      alt: 'The QR code of the key below',
    }),
    el('p', {}, 'Or type this key: ', el('code', { class: 'key' }, secret)),
    el('p', {}, copyButton('Copy the key', secret)),
    activate,
  )
}

/** @param {{ recoveryCodes: string[] } | undefined} answer @param {Body} body */
function showCodes(answer, { replace, reload }) {
  if (answer) replace(recoveryCodes(answer.recoveryCodes, () => reload('Two steps protect this account now.')))
}

/** @param {SecondFactor} state @param {Body} body */
function enrolled({ totp, recoveryCodesLeft }, body) {
  const remove = async () => {
    await call('DELETE', '/v1/second-factor/totp')
    await body.reload('Switched off. The password alone logs in now.')
  }
  const newCodes = async () => showCodes(await call('POST', '/v1/second-factor/recovery-codes'), body)
  return [
    el(
      'p',
      {},
      'Set up ',
      timeOf(totp?.enrolledAt ?? ''),
      ...(totp?.lastUsedAt ? [', last used ', timeOf(totp.lastUsedAt)] : []),
      '.',
    ),
    el(
      'p',
      { class: recoveryCodesLeft < fewCodes ? 'error' : undefined },
      `${recoveryCodesLeft} of 10 recovery codes are left.${recoveryCodesLeft < fewCodes ? ' Make new ones.' : ''}`,
    ),
    el(
      'div',
      { class: 'row' },
      ...graveButton('New recovery codes', 'End the old ones?', newCodes, ' for new recovery codes'),
      ...confirmedButton('Use another app', () => enrol(body), ' to set up another app'),
      ...graveButton('Switch it off', 'Switch off the second step?', remove, ' to switch off the second step'),
    ),
  ]
}

export function secondFactor() {
  /** @param {SecondFactor} state @param {Body} body */
  const show = (state, body) => [
    el('p', {}, 'A second step after the password: a code from an app on your phone.'),
    ...(state.totp
      ? enrolled(state, body)
      : confirmedButton('Set up an authenticator app', () => enrol(body), ' to set up the app')),
  ]
  return readPart('Authenticator app', '/v1/second-factor', show)
}
