import type { FastifyBaseLogger, FastifyRequest } from 'fastify'

const intervalMs = 1_000

/** The failures after the first one of a kind, and what the latest of them said. */
type Others = { code: string; failed: number; reason: string }

const reasonOf = (cause: unknown) => (cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause))

/** The class of an error: its message can name a connection, of which there are many. */
const kindOf = (cause: unknown) => (cause instanceof Error ? cause.name : typeof cause)

/**
 * Logs requests that failed because of the database. In an outage or under overload thousands do: the first of a kind is
 * logged with its request, and the others within a second share a line with their number.
 */
export function failureReport(log: FastifyBaseLogger) {
  const kinds = new Map<string, Others>()
  const report = () => {
    for (const others of kinds.values()) if (others.failed > 0) log.warn(others, 'database unavailable')
    kinds.clear()
  }
  return (request: Pick<FastifyRequest, 'log'>, code: string, cause: unknown): void => {
    const kind = `${code} ${kindOf(cause)}`
    const reason = reasonOf(cause)
    const others = kinds.get(kind)
    if (others) Object.assign(others, { failed: others.failed + 1, reason })
    else {
      // Without a stack: every request fails in the same way.
      request.log.warn({ code, reason }, 'database unavailable')
      if (kinds.size === 0) setTimeout(report, intervalMs).unref()
      kinds.set(kind, { code, failed: 0, reason })
    }
  }
}
