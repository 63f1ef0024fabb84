import got, { RequestError } from 'got'

/** A sentence about the server for the robot at the terminal. */
export class PreflightError extends Error {}

/**
 * Asks once whether Rookery answers at `base`; a server that is there but not ready will do, as the robots wait for it.
 * Throws PreflightError with one sentence.
 */
export async function checkServer(base: URL): Promise<void> {
  const answer = await got(new URL('/health/ready', base), {
    followRedirect: false,
    throwHttpErrors: false,
    retry: { limit: 0 },
    timeout: { request: 10_000 },
  }).catch((error: unknown) => {
    if (!(error instanceof RequestError)) throw error
    if (error.code?.includes('CERT') || error.code?.startsWith('ERR_TLS'))
      throw new PreflightError(`The certificate of ${base.origin} is not trusted (${error.code}).`)
    throw new PreflightError(`No server answers at ${base.origin} - start it with "npm start".`)
  })
  if (answer.statusCode !== 200 && answer.statusCode !== 503)
    throw new PreflightError(
      `What answers at ${base.origin} is not Rookery: ${answer.statusCode} to GET /health/ready.`,
    )
}
