/** @import { TabMessage } from '../types.d.ts' */

const channel = new BroadcastChannel('rookery')

/** Tells the other tabs. @param {TabMessage} message */
export function tellTabs(message) {
  channel.postMessage(message)
}

/** @param {(message: TabMessage) => void} listener */
export function onTabMessage(listener) {
  channel.addEventListener('message', ({ data }) => listener(data))
}
