import fp from 'fastify-plugin'
import { Problem } from './problems.ts'
import { defaultOrigins } from './public-origins.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The origins of this server's own pages, in the order of `PUBLIC_ORIGIN`; beneath `/v1`. */
    publicOrigins: () => ReadonlySet<string>
  }
  interface FastifyContextConfig {
    /** For a GET: refused cross-site as a change is. */
    refusesCrossSite?: boolean
  }
}

/** Methods that change nothing (RFC 9110, 9.2.1). */
export const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** OWASP CSRF Prevention, "Verifying Origin With Standard Headers". Proxies rewrite `Host` and `X-Forwarded-*`. */
export const refuseCrossSite = fp<{ host: string; port: number; publicOrigins: readonly string[] | undefined }>(
  async (app, { host, port, publicOrigins }) => {
    let origins: ReadonlySet<string> | undefined = publicOrigins && new Set(publicOrigins)
    const allowedOrigins = () => {
      // With PORT=0 the actual port is known only once the server listens.
      const address = app.server.address()
      const actual = address !== null && typeof address === 'object' ? address.port : port
      origins ??= new Set(defaultOrigins(host, actual))
      return origins
    }
    app.decorate('publicOrigins', allowedOrigins)
    // While the server drains, it no longer has an address.
    app.addHook('onListen', async () => void allowedOrigins())
    app.addHook('onRequest', async ({ method, headers, routeOptions }) => {
      if (safeMethods.has(method) && !routeOptions.config.refusesCrossSite) return
      const { origin, 'sec-fetch-site': site } = headers
      if (origin !== undefined && !allowedOrigins().has(origin))
        throw new Problem(
          'cross-site',
          'Cross-site request blocked: Origin is not in PUBLIC_ORIGIN. Use an origin that is, or have the operator add it.',
        )
      if (origin === undefined && site !== undefined && site !== 'same-origin' && site !== 'none')
        throw new Problem(
          'cross-site',
          'Cross-site request blocked: Sec-Fetch-Site is not same-origin or none. Send it from a page of an origin in PUBLIC_ORIGIN.',
        )
    })
  },
)
