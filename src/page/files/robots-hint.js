import { el } from './dom.js'

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** How to start the robot crowd, where the server is on the reader's own machine. @returns {HTMLElement[]} */
export function robotsHint() {
  if (!loopback.test(location.hostname)) return []
  const command = location.port === '5000' ? 'npx tsx bot' : `npx tsx bot --url '${location.origin}'`
  return [
    el('p', {}, 'For some company, start the robots in a second terminal:'),
    el('pre', {}, el('code', {}, command)),
  ]
}
