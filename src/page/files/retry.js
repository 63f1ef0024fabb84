import { Failure } from './api.js'

const firstMs = 3_000
const lastMs = 30_000

/**
 * Repeats a read that failed only for now, with growing pauses, as long as the element that shows the answer is in the
 * page.
 * @param {() => unknown} read
 * @param {HTMLElement} element
 */
export function retrying(read, element) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer
  let delayMs = firstMs
  return {
    /** After a success, or when the answer is no longer wanted. */
    reset() {
      clearTimeout(timer)
      delayMs = firstMs
    },
    /** @param {unknown} failure */
    failed(failure) {
      clearTimeout(timer)
      if (!(failure instanceof Failure && failure.isTemporary)) return
      // Not all pages at once when the server is back.
      timer = setTimeout(() => element.isConnected && read(), delayMs * (0.5 + Math.random() / 2))
      delayMs = Math.min(delayMs * 2, lastMs)
    },
  }
}
