import got, { RequestError } from 'got'
import { z } from 'zod'
import { urlOf } from './options/server-url.ts'

/** The message is one sentence for the terminal. */
export class PreflightError extends Error {}

/**
 * Checks that Rookery responds at `url`, or at the root of its origin when the path is that of a page. 503 is accepted,
 * as the robots wait for it. Resolves to the base of all requests. @throws PreflightError
 */
export async function checkServer(url: URL, ca?: string): Promise<URL> {
  const bases = url.pathname === '/' ? [url] : [url, new URL('/', url)]
  let status = 0
  for (const base of bases) {
    status = await readinessStatus(base, ca)
    if (status === 200 || status === 503) return base
  }
  throw new PreflightError(`${url.origin} is not a Rookery server: GET /health/ready returned ${status}.`)
}

async function readinessStatus(base: URL, ca: string | undefined): Promise<number> {
  const response = await got(urlOf(base, '/health/ready'), {
    ...(ca && { https: { certificateAuthority: ca } }),
    ...{ followRedirect: false, throwHttpErrors: false, retry: { limit: 0 }, timeout: { request: 10_000 } },
  }).catch((error: unknown) => {
    if (!(error instanceof RequestError)) throw error
    if (error.code?.includes('CERT') || error.code?.startsWith('ERR_TLS'))
      throw new PreflightError(
        `The certificate of ${base.origin} is not trusted (${error.code}); give its authority with --ca.`,
      )
    throw new PreflightError(`No server responds at ${base.origin}; start one with "npm start".`)
  })
  return response.statusCode
}

/** The version in the server's OpenAPI document, or null when it serves none. */
export async function serverVersion(base: URL, ca?: string): Promise<string | null> {
  const document = await got(urlOf(base, '/openapi.json'), {
    ...(ca && { https: { certificateAuthority: ca } }),
    ...{ followRedirect: false, retry: { limit: 0 }, timeout: { request: 5_000 } },
  })
    .json()
    .catch(() => null)
  return openApi.safeParse(document).data?.info.version ?? null
}

const openApi = z.object({ info: z.object({ version: z.string() }) })
