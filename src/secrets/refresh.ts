import type { FastifyBaseLogger } from 'fastify'
import type { RefreshReason } from './live.ts'
import type { SecretName, SecretTexts } from './names.ts'
import type { SecretReader } from './reader.ts'
import { parseSecrets, type SecretRules, type Secrets } from './secrets.ts'

/** The least time between two reads for these reasons, in milliseconds: clients and outages can cause many. */
const minIntervalMs: Partial<Record<RefreshReason, number>> = { 'unknown-key': 10_000, 'database-refused': 5_000 }

export type SecretAge = { secret: SecretName; seconds: number }

export type SecretRefresh = {
  refresh(reason: RefreshReason): Promise<void>
  ages(): SecretAge[]
  close(): void
}

type Options = {
  reader: SecretReader
  texts: SecretTexts
  rules: SecretRules
  /** Seconds between two reads; 0: none without a reason. */
  intervalSeconds: number
  apply(secrets: Secrets): Promise<void>
  log: FastifyBaseLogger
}

/** Reads secrets again at intervals and for a reason. The last value serves while a source or its text is faulty. */
export function secretRefresh({ reader, texts, rules, intervalSeconds, apply, log }: Options): SecretRefresh {
  let accepted = texts
  const readAt = new Map(reader.changeable.map((name) => [name, performance.now()]))
  const failing = new Set<SecretName>()
  const lastReadAt = new Map<RefreshReason, number>()
  let reading: Promise<void> = Promise.resolve()
  let waiting: { isFresh: boolean; done: Promise<void> } | undefined
  let timer: NodeJS.Timeout | undefined
  let closed = false

  function fail(name: SecretName, reason: string): void {
    // One line for each outage.
    if (!failing.has(name)) log.warn({ variable: name, reason }, 'secret cannot be read, the last value serves')
    failing.add(name)
  }

  function accept(name: SecretName, text: string): void {
    const candidate = { ...accepted, [name]: text }
    const faults: string[] = []
    parseSecrets(candidate, rules, faults)
    if (faults.length > 0) {
      fail(name, faults.join('; '))
      return
    }
    accepted = candidate
    readAt.set(name, performance.now())
    if (failing.delete(name)) log.info({ variable: name }, 'secret can be read again')
  }

  async function read(fresh: boolean): Promise<void> {
    try {
      const result = await reader.read(reader.changeable, { fresh })
      for (const { name, error } of result.faults) fail(name, error.message)
      for (const name of reader.changeable) {
        const text = result.texts[name]
        if (text !== undefined) accept(name, text)
      }
      await apply(parseSecrets(accepted, rules, []))
    } catch (error) {
      log.error({ err: error }, 'secrets could not be read again')
    }
  }

  /** After a read in progress, which may have begun before the change that is the reason for this one. */
  function readNext(isFresh: boolean): Promise<void> {
    // One read serves all reasons that arrive before it begins: SIGHUP or a slow source would cause ever more.
    if (waiting) {
      waiting.isFresh ||= isFresh
      return waiting.done
    }
    const done = reading.then(() => {
      const { isFresh = false } = waiting ?? {}
      waiting = undefined
      return closed ? undefined : read(isFresh)
    })
    waiting = { isFresh, done }
    return done
  }

  async function refresh(reason: RefreshReason): Promise<void> {
    if (reader.changeable.length === 0 || closed) return
    const now = performance.now()
    const allowedAt = (lastReadAt.get(reason) ?? Number.NEGATIVE_INFINITY) + (minIntervalMs[reason] ?? 0)
    if (now >= allowedAt) {
      lastReadAt.set(reason, now)
      reading = readNext(reason === 'database-refused')
    }
    await reading
  }

  function schedule(): void {
    if (intervalSeconds === 0 || reader.changeable.length === 0 || closed) return
    // ±10%, so that servers that started together do not read together.
    const delayMs = intervalSeconds * 1_000 * (0.9 + Math.random() / 5)
    timer = setTimeout(() => refresh('interval').finally(schedule), delayMs).unref()
  }

  reader.onLeaseDue(() => void refresh('lease-due'))
  schedule()
  return {
    refresh,
    ages: () => {
      const now = performance.now()
      return [...readAt].map(([secret, at]) => ({ secret, seconds: (now - at) / 1_000 }))
    },
    close() {
      closed = true
      clearTimeout(timer)
      reader.close()
    },
  }
}
