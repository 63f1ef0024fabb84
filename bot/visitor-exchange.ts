import { Pool } from 'undici'
import { answered, type Exchanges, unanswered } from './exchange.ts'

/** Of more, the pool searches all for an idle one at each request. */
const maxConnections = 256

/**
 * Exchanges without cookies, for all who have none: with undici, which costs a fifth of got's CPU. At the end of a run, most
 * of what is read needs no session.
 */
export function visitorExchanges(base: URL, headers: Record<string, string>, ca: string | undefined): Exchanges {
  const pool = new Pool(base.origin, { connections: maxConnections, ...(ca && { connect: { ca } }) })
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
      if (!(error instanceof Error)) throw error
      return unanswered(error.name === 'AbortError' ? 'timeout' : causeOf(error))
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
    }
  }
}

/** A connection that ends before the answer has the code of undici's own, for which got has Node.js's. */
function causeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException // the fields of system errors, which each may lack
  return code === undefined || code === 'UND_ERR_SOCKET' ? 'ECONNRESET' : code
}
