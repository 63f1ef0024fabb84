import { createHmac } from 'node:crypto'
import type { FastifyBaseLogger, FastifyRequest } from 'fastify'
import { Counter, type Registry } from 'prom-client'
import { networkKey } from '../http/client-address.ts'
import type { ClientInfo } from '../http/client-info.ts'
import { type SecurityEvent, securityEventNames, securityEvents } from './security-events.ts'

/**
 * What is known of an event. A name that belongs to no account may be a password typed in the wrong field: only its keyed
 * hash is logged, and only without an `account`. `detail` holds words of this program, never text of a client.
 */
export type SecurityFacts = {
  request?: FastifyRequest
  account?: string | undefined
  username?: string
  detail?: Readonly<Record<string, string | number>>
}

declare module 'fastify' {
  interface FastifyInstance {
    securityLog: SecurityLog
  }
  interface FastifyRequest {
    /** Whose password a request without a session gives: it goes into every event of that request. */
    claimedIdentity: Pick<SecurityFacts, 'account' | 'username'> | null
  }
}

type Parts = {
  log: Pick<FastifyBaseLogger, 'child'>
  isOn: boolean
  /** The throttle key; '' in a service that knows no names. */
  nameKey: string
  registry?: Registry
  windowMs?: number
}

/** Of one event, in one process and window: clients can repeat a failure without end, and must not fill the disk. */
const maxLinesPerWindow = 300
/** Of one network: it must not hide what others do. */
const maxLinesOfNetwork = 60

type Window = { lines: number; ofNetworks: Map<string, number>; suppressed: number; timer: NodeJS.Timeout }

const level = { success: 'info', failure: 'warn' } as const

/** One JSON line for each security event, at a level of its own: LOG_LEVEL does not apply. SECURITY_LOG ends it. */
export function securityLog({ log, isOn, nameKey, registry, windowMs = 60_000 }: Parts) {
  const lines = log.child({ log: 'security' }, { level: isOn ? 'info' : 'silent' })
  const windows = new Map<SecurityEvent, Window>()
  const key = createHmac('sha256', nameKey).update('names in the security log').digest()
  const counter = new Counter({
    name: 'rookery_security_events_total',
    help: 'Security events, those included that the security log only counts.',
    labelNames: ['event'],
    registers: registry ? [registry] : [],
  })
  for (const event of securityEventNames) counter.inc({ event }, 0)
  const refusals = new Counter({
    name: 'rookery_limit_refusals_total',
    help: 'Requests that a limit refused, by limit.',
    labelNames: ['limit'],
    registers: registry ? [registry] : [],
  })

  const hashOf = (username: string) => createHmac('sha256', key).update(username.toLowerCase()).digest('base64url')

  function close(event: SecurityEvent): void {
    const window = windows.get(event)
    if (!window) return
    clearTimeout(window.timer)
    windows.delete(event)
    const { suppressed } = window
    if (suppressed === 0) return
    const outcome = securityEvents[event]
    lines[level[outcome]]({ event, outcome, suppressed }, `${event}: ${suppressed} more were counted and not logged`)
  }

  function beginWindow(event: SecurityEvent): Window {
    const timer = setTimeout(close, windowMs, event).unref()
    const window = { lines: 0, ofNetworks: new Map<string, number>(), suppressed: 0, timer }
    windows.set(event, window)
    return window
  }

  function isSuppressed(event: SecurityEvent, client: ClientInfo | undefined): boolean {
    const window = windows.get(event) ?? beginWindow(event)
    const network = client === undefined ? '' : networkKey(client.ip)
    const own = window.ofNetworks.get(network) ?? 0
    if (window.lines === maxLinesPerWindow || own === maxLinesOfNetwork) {
      window.suppressed += 1
      return true
    }
    window.lines += 1
    window.ofNetworks.set(network, own + 1)
    return false
  }

  return {
    /** After the event: a transaction that fails, or runs again, must not be logged. */
    record(event: SecurityEvent, facts: SecurityFacts = {}): void {
      counter.inc({ event })
      if (facts.detail?.limit !== undefined) refusals.inc({ limit: facts.detail.limit })
      const outcome = securityEvents[event]
      // A request that is refused before its client is read has none.
      const client: ClientInfo | undefined = facts.request?.client
      if (outcome === 'failure' && isSuppressed(event, client)) return
      const { request, account, username, detail } = { ...facts.request?.claimedIdentity, ...facts }
      const actor = account ?? request?.viewer?.account
      const nameHash = username === undefined || actor !== undefined || nameKey === '' ? undefined : hashOf(username)
      const line = { event, outcome, reqId: request?.id, ip: client?.ip, account: actor, nameHash, detail }
      const shown = [client?.ip, actor ?? nameHash, ...Object.values(detail ?? {})].filter((part) => part !== undefined)
      lines[level[outcome]](line, [event, ...shown].join(' '))
    },

    /** Logs what is only counted so far. */
    close(): void {
      for (const event of [...windows.keys()]) close(event)
    },
  }
}

export type SecurityLog = ReturnType<typeof securityLog>
