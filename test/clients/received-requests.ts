import type { App } from '../../src/app.ts'

/** A request as the server received it; `cookies` are their sorted names. */
export type ReceivedRequest = { request: string; origin: string | undefined; cookies: string[]; status: number }

/**
 * Records requests to the API from now on.
 * @returns a function that returns the requests since its last call
 */
export function recordRequests(app: App): () => ReceivedRequest[] {
  const received: ReceivedRequest[] = []
  app.server.on('request', ({ method, url = '', headers: { origin, cookie } }, response) => {
    // A browser requests the favicon by itself.
    if (!url.startsWith('/v1/')) return
    const cookies = cookie === undefined ? [] : cookie.split('; ').map((pair) => pair.slice(0, pair.indexOf('=')))
    response.on('finish', () => {
      received.push({ request: `${method} ${url}`, origin, cookies: cookies.sort(), status: response.statusCode })
    })
  })
  return () => received.splice(0)
}
