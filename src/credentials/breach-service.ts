import { createHash } from 'node:crypto'
import type { FastifyBaseLogger } from 'fastify'
import { normalisePassword } from './hashing.ts'

const prefixLength = 5
/** Twice what the largest padded response of Have I Been Pwned has. */
const responseBytesMax = 262_144
const logIntervalMs = 60_000

/** Whether a password is known from a breach; false while the service does not answer. */
export type IsBreached = (password: string, signal: AbortSignal) => Promise<boolean>

/** @throws an error that names what is wrong, and no part of the response */
async function readText({ body }: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > responseBytesMax) throw new Error('the response is too long')
    text += decoder.decode(chunk, { stream: true })
  }
  return text
}

function countOf(text: string, suffix: string): number {
  let count = 0
  for (const line of text.split(/\r?\n/)) {
    if (line === '') continue
    const [, found, times] = /^([0-9A-F]{35}):(\d{1,12})$/i.exec(line) ?? []
    if (found === undefined) throw new Error('the response is not a range')
    if (found.toUpperCase() === suffix) count = Number(times)
  }
  return count
}

/** fetch() keeps what happened in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown'
  const { cause } = error
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message
}

/**
 * Asks a service of known breached passwords by the range protocol of Have I Been Pwned: it learns the first 20 bits of
 * a SHA-1, and with padding an observer learns nothing from the length. Fails open, with a log line a minute at most.
 * @param url - of the ranges, without a slash at the end
 */
export function breachService(
  url: string,
  log: Pick<FastifyBaseLogger, 'warn'>,
  { timeoutMs = 1_500, now = () => performance.now() } = {},
): IsBreached {
  let loggedAtMs = Number.NEGATIVE_INFINITY
  let failures = 0

  function logFailure(error: unknown): void {
    failures += 1
    if (now() - loggedAtMs < logIntervalMs) return
    loggedAtMs = now()
    log.warn({ reason: reasonOf(error), failures }, 'breach service failed: passwords were not compared')
    failures = 0
  }

  return async (password, signal) => {
    const digest = createHash('sha1').update(normalisePassword(password)).digest('hex').toUpperCase()
    const [prefix, suffix] = [digest.slice(0, prefixLength), digest.slice(prefixLength)]
    try {
      const response = await fetch(`${url}/${prefix}`, {
        headers: { 'add-padding': 'true', 'user-agent': 'rookery' },
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      })
      if (!response.ok) {
        await response.body?.cancel()
        throw new Error(`the response has status ${response.status}`)
      }
      return countOf(await readText(response), suffix) > 0
    } catch (error) {
      signal.throwIfAborted()
      logFailure(error)
      return false
    }
  }
}
