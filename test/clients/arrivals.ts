import type { App } from '../../src/app.ts'

/** A request as the server met it, whatever the browser says of it; `cookies` are their names, sorted. */
export type Arrival = { asked: string; origin: string | undefined; cookies: string[]; status: number }

/** Notes what is asked of the API from now on; what it returns hands over what has come since the last time. */
export function arrivalsAt(app: App): () => Arrival[] {
  const arrivals: Arrival[] = []
  app.server.on('request', ({ method, url = '', headers: { origin, cookie } }, response) => {
    // A browser asks for a picture of the site by itself.
    if (!url.startsWith('/v1/')) return
    const cookies = cookie === undefined ? [] : cookie.split('; ').map((pair) => pair.slice(0, pair.indexOf('=')))
    response.on('finish', () => {
      arrivals.push({ asked: `${method} ${url}`, origin, cookies: cookies.sort(), status: response.statusCode })
    })
  })
  return () => arrivals.splice(0)
}
