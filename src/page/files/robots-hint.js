import { el } from './dom.js'

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

const isOwnMachine = loopback.test(location.hostname)

/** How to start the robot crowd, where the server is on the reader's own machine. @returns {HTMLElement[]} */
export function robotsHint() {
  if (!isOwnMachine) return []
  const command = location.port === '5000' ? 'npx tsx bot' : `npx tsx bot --url '${location.origin}'`
  return [
    el('p', {}, 'For some company, start the robots in a second terminal:'),
    el('pre', {}, el('code', {}, command)),
  ]
}

/** The same hint folded, for a list that has posts; page.css hides it beside an empty one, which has the hint itself. */
export const foldedRobotsHint = () =>
  isOwnMachine
    ? [el('details', { class: 'robots' }, el('summary', {}, 'How to start the robots'), ...robotsHint())]
    : []
