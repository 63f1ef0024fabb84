import got, { RequestError } from 'got'

/** The message is one sentence for the terminal. */
export class PreflightError extends Error {}

/** Checks that Rookery responds at `base`; 503 is accepted, as the robots wait for it. @throws PreflightError */
export async function checkServer(base: URL): Promise<void> {
  const response = await got(new URL('/health/ready', base), {
    followRedirect: false,
    throwHttpErrors: false,
    retry: { limit: 0 },
    timeout: { request: 10_000 },
  }).catch((error: unknown) => {
    if (!(error instanceof RequestError)) throw error
    if (error.code?.includes('CERT') || error.code?.startsWith('ERR_TLS'))
      throw new PreflightError(`The certificate of ${base.origin} is not trusted (${error.code}).`)
    throw new PreflightError(`No server responds at ${base.origin}; start one with "npm start".`)
  })
  if (response.statusCode !== 200 && response.statusCode !== 503)
    throw new PreflightError(
      `${base.origin} is not a Rookery server: GET /health/ready returned ${response.statusCode}.`,
    )
}
