import { Pool } from 'undici'
import { answered, type Exchanges, maxSockets, unanswered } from './exchange.ts'

/**
 * Exchanges without cookies, for all who have none: with undici, which costs a fifth of got's CPU. At the end of a run, most
 * of what is read needs no session.
 */
export function visitorExchanges(base: URL, headers: Record<string, string>, ca: string | undefined): Exchanges {
  const pool = new Pool(base.origin, { connections: maxSockets, allowH2: false, ...(ca && { connect: { ca } }) })
  return async (url, { method, json, headers: own }, { timeoutMs, signal }, onAnswer) => {
    const ended = new AbortController()
    const end = () => ended.abort()
    const timer = setTimeout(end, timeoutMs)
    signal?.addEventListener('abort', end, { once: true })
    try {
      signal?.throwIfAborted()
      const answer = await pool.request({
        ...{ method, path: url.pathname + url.search, signal: ended.signal, headersTimeout: 0, bodyTimeout: 0 },
        headers: { ...headers, ...own, ...(json && { 'content-type': 'application/json' }) },
        ...(json && { body: JSON.stringify(json) }),
      })
      const body = await answer.body.text()
      onAnswer(answer.headers)
      return answered({ ...answer, body })
    } catch (error) {
      const cause = causeOf(error)
      if (cause === undefined) throw error
      return unanswered(cause)
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
    }
  }
}

/** Undefined for a fault of the program. A connection that ends before the answer has undici's code, for which got has Node's. */
function causeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  if (error.name === 'AbortError') return 'timeout'
  // A body that ends early: "terminated".
  if (error.cause instanceof Error) return causeOf(error.cause)
  if (!('code' in error) || typeof error.code !== 'string') return undefined
  return error.code === 'UND_ERR_SOCKET' ? 'ECONNRESET' : error.code
}
