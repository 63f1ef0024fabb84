import { el } from './dom.js'

/** @param {string} text @param {string} name */
function save(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
  el('a', { href: url, download: name }).click()
  // After the browser has begun to read it.
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

/**
 * A button that copies, and says so.
 * @param {string} label
 * @param {string} text
 */
export function copyButton(label, text) {
  const button = el('button', { type: 'button', 'aria-live': 'polite', onclick: copy }, label)
  async function copy() {
    // Browsers offer it on https and loopback only.
    const isCopied = await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    )
    button.textContent = isCopied ? 'Copied' : 'Select and copy it by hand'
  }
  return button
}

/**
 * Recovery codes, which the server shows once.
 * @param {string[]} codes
 * @param {() => void} onSaved
 */
export function recoveryCodes(codes, onSaved) {
  const title = `Recovery codes for ${location.host}`
  const text = `${title}\n\n${codes.join('\n')}\n`
  return el(
    'div',
    {},
    el(
      'p',
      {},
      'These recovery codes log you in if you lose the app, once each. They are shown only now: print or save them.',
    ),
    el(
      'div',
      { class: 'codes' },
      el('h3', {}, title),
      el('ol', {}, ...codes.map((code) => el('li', {}, el('code', {}, code)))),
    ),
    el(
      'div',
      { class: 'row' },
      copyButton('Copy', text),
      el('button', { type: 'button', onclick: () => save(text, 'rookery-recovery-codes.txt') }, 'Save as a file'),
      el('button', { type: 'button', onclick: () => print() }, 'Print'),
      el('button', { type: 'button', class: 'primary', onclick: onSaved }, 'I have saved them'),
    ),
  )
}
