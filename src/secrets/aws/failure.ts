import { z } from 'zod'
import { StartError } from '../../start-error.ts'

const Properties = z.object({
  name: z.string().optional(),
  code: z.string().optional(),
  message: z.string().optional(),
  $metadata: z.object({ httpStatusCode: z.number().optional() }).optional(),
})

/** An error of the SDK. Its message can contain account numbers or secrets: it is matched and never shown. */
export type Failure = { name: string; code: string; message: string; status: number }

export function describeFailure(error: unknown): Failure {
  const { name = '', code = '', message = '', $metadata } = Properties.safeParse(error).data ?? {}
  // The response determines the name.
  return { name: /^\w{1,60}$/.test(name) ? name : 'Error', code, message, status: $metadata?.httpStatusCode ?? 0 }
}

/** Describes a failed connection to `server`, and what to check. Undefined if the server did respond. */
export function connectionFault(
  { name, code }: Failure,
  server: string,
  advice: string,
  timeoutMs: number,
): StartError | undefined {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new StartError(`${server} has no address (${code}): check ${advice} and this machine’s DNS.`, 'out-of-reach')
  if (code === 'CERT_HAS_EXPIRED') return new StartError(`The TLS certificate of ${server} has expired: renew it.`)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return new StartError(`The TLS certificate of ${server} is for another host: check ${advice}.`)
  if (/CERT|UNABLE_TO_VERIFY/.test(code))
    return new StartError(
      `The TLS certificate of ${server} is not trusted (${code}): name the file of its certificate authority in NODE_EXTRA_CA_CERTS.`,
    )
  if (/^(EPROTO|ERR_SSL)/.test(code)) return new StartError(`${server} does not use TLS (${code}): check ${advice}.`)
  if (/^E[A-Z]+$/.test(code) && code !== 'ETIMEDOUT' && code !== 'ENOENT')
    return new StartError(
      `${server} does not respond (${code}): check ${advice} and this machine’s network.`,
      'out-of-reach',
    )
  if (/Timeout|AbortError/.test(name) || code === 'ETIMEDOUT') {
    const limit = `${timeoutMs / 1_000} s`
    return new StartError(
      `${server} does not respond within ${limit}: check ${advice} and this machine’s network.`,
      'out-of-reach',
    )
  }
  return undefined
}
