import { isDeepStrictEqual } from 'node:util'
import type { FastifyBaseLogger } from 'fastify'
import type { Secrets } from './secrets.ts'

export type RefreshReason = 'unknown-key' | 'database-refused' | 'lease-due' | 'signal' | 'interval'

export type LiveSecrets = {
  readonly current: Secrets
  /** Work that must succeed before a part changes, such as connecting as the new database user. */
  prepare(part: Part, work: (next: Secrets) => Promise<void>): void
  /** Changes each part whose preparation succeeds. The others keep their last values until the next update. */
  update(next: Partial<Secrets>): Promise<void>
  /** Has the sources read again. Resolves when the secrets may have changed; never rejects. */
  refresh(reason: RefreshReason): Promise<void>
}

/** The keys first: they change at once, and a database that does not respond must not delay them. */
const parts = ['signKeys', 'peppers', 'totpKeys', 'mailServer', 'database'] as const satisfies (keyof Secrets)[]

type Part = (typeof parts)[number]

/** The secrets of one process, which can change while it runs. */
export function liveSecrets(
  initial: Secrets,
  log: FastifyBaseLogger,
  refresh: LiveSecrets['refresh'] = async () => {},
): LiveSecrets {
  let current = initial
  const preparations = new Map<Part, (next: Secrets) => Promise<void>>()
  let updating: Promise<void> = Promise.resolve()

  async function updatePart(part: Part, next: Secrets): Promise<void> {
    const isSame = isDeepStrictEqual(current[part], next[part])
    // A user that was dropped and created again needs new connections, with the same credentials.
    if (isSame && part !== 'database') return
    try {
      await preparations.get(part)?.(next)
      if (isSame) return
      current = { ...current, [part]: next[part] }
      log.info({ part }, 'secret changed')
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      log.warn({ part, reason }, 'changed secret cannot be used yet, the last value serves')
    }
  }

  return {
    get current() {
      return current
    },
    prepare(part, work) {
      preparations.set(part, work)
    },
    update(changes) {
      // One after another: a later update must not be overtaken by an earlier one.
      updating = updating.then(async () => {
        for (const part of parts) await updatePart(part, { ...current, ...changes })
      })
      return updating
    },
    refresh,
  }
}
