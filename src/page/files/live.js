import { login, refresh } from './api.js'
import { checkSessionSoon } from './session.js'

/** @import { Post, Counts } from '../types.d.ts' */

/**
 * @typedef {'connecting' | 'live' | 'offline'} LiveState
 * @typedef {object} Listener
 * @property {() => void} onFresh - the stream begins here: lists that were read before may lack posts
 * @property {(post: Post) => void} onPost
 * @property {(post: Post) => void} onEdited
 * @property {(id: string, counts: Counts) => void} onCounts
 * @property {(id: string) => void} onRemoved
 * @property {(state: LiveState) => void} onState
 */

const retryMs = { first: 1_000, last: 30_000 }
const tickMs = 5_000

/**
 * Follows the stream while the tab is visible: a browser has six connections to a server, and a hidden tab needs none.
 * @param {Listener} listener
 * @param {string} [scope]
 * @returns {() => void} ends it
 */
export function followStream(listener, scope) {
  const url = scope ? `/v1/stream?scope=${scope}` : '/v1/stream'
  /** @type {EventSource | undefined} */
  let source
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let retry
  let delayMs = retryMs.first
  let isFresh = true
  let isOpen = false
  let lastTick = Date.now()

  function stop() {
    clearTimeout(retry)
    source?.close()
    source = undefined
  }

  function start() {
    stop()
    if (document.hidden) return
    isFresh = true
    listener.onState('connecting')
    const opened = new EventSource(url)
    source = opened
    opened.onopen = () => {
      delayMs = retryMs.first
      isOpen = true
      listener.onState('live')
      if (isFresh) listener.onFresh()
      isFresh = false
    }
    opened.onerror = () => {
      listener.onState('offline')
      if (isOpen) checkSessionSoon()
      isOpen = false
      // After any status but 200 the browser gives up.
      if (opened.readyState === EventSource.CLOSED) retry = setTimeout(startAgain, delayMs * (0.5 + Math.random() / 2))
    }
    /** @param {string} kind @param {(data: any) => void} handle */
    const on = (kind, handle) => opened.addEventListener(kind, ({ data }) => handle(JSON.parse(data)))
    on('post', listener.onPost)
    on('edited', listener.onEdited)
    on('counts', ({ id, counts }) => listener.onCounts(id, counts))
    on('removed', ({ id }) => listener.onRemoved(id))
    on('lagged', () => {
      isFresh = true
    })
  }

  async function startAgain() {
    delayMs = Math.min(delayMs * 2, retryMs.last)
    if (login.isActive) await refresh().catch(() => undefined)
    if (!ended) start()
  }

  /** A sleeping computer notices no end of a connection. */
  function tick() {
    if (Date.now() - lastTick > 4 * tickMs) start()
    lastTick = Date.now()
  }

  let ended = false
  const ticks = setInterval(tick, tickMs)
  document.addEventListener('visibilitychange', start)
  start()
  return () => {
    ended = true
    stop()
    clearInterval(ticks)
    document.removeEventListener('visibilitychange', start)
  }
}
