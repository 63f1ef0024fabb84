import got, { RequestError } from 'got'
import { z } from 'zod'
import { urlOf } from './options/server-url.ts'

/** The message is one sentence for the terminal. */
export class PreflightError extends Error {}

/** Checks that Rookery responds at `base`; 503 is accepted, as the robots wait for it. @throws PreflightError */
export async function checkServer(base: URL, ca?: string): Promise<void> {
  const response = await got(urlOf(base, '/health/ready'), {
    ...(ca && { https: { certificateAuthority: ca } }),
    followRedirect: false,
    throwHttpErrors: false,
    retry: { limit: 0 },
    timeout: { request: 10_000 },
  }).catch((error: unknown) => {
    if (!(error instanceof RequestError)) throw error
    if (error.code?.includes('CERT') || error.code?.startsWith('ERR_TLS'))
      throw new PreflightError(
        `The certificate of ${base.origin} is not trusted (${error.code}); give its authority with --ca.`,
      )
    throw new PreflightError(`No server responds at ${base.origin}; start one with "npm start".`)
  })
  if (response.statusCode !== 200 && response.statusCode !== 503)
    throw new PreflightError(
      `${base.origin} is not a Rookery server: GET /health/ready returned ${response.statusCode}.`,
    )
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
