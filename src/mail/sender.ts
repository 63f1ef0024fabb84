import type { FastifyBaseLogger } from 'fastify'
import type { Registry } from 'prom-client'
import type { NoteRefusal } from '../database/access-refusals.ts'
import { composeMail } from './compose.ts'
import { measureMails } from './metrics.ts'
import type { Leased, Mail, OutboxStore } from './outbox.ts'
import type { ResetLinks } from './reset-links.ts'
import type { SendMessage } from './transport.ts'

type Parts = {
  log: FastifyBaseLogger
  makeReset: ResetLinks
  noteRefusal: NoteRefusal
  /** Where browsers reach the page. */
  origin: () => string
  outbox: Pick<OutboxStore, 'count' | 'delete' | 'lease' | 'oldest' | 'release'>
  registry: Registry
  send: SendMessage
}

/** At once, in one process: a mail server that answers none of them holds up no others for longer than a try takes. */
const maxSending = 4
/** A try: half of a lease, so that no other process begins the same. */
const tryTimeoutMs = 60_000
/** How long other processes' mails, and those of operators' commands, wait for this one. */
const pollMs = 5_000
/** For the commit of what was added. */
const commitMs = 100
const closeWithinMs = 1_000
const maxBackOffMs = 3_600_000

/** 1 s, doubled with each try up to an hour. */
export const mailBackOffMs = (tries: number): number => Math.min(maxBackOffMs, 1_000 * 2 ** (tries - 1))

/** What nodemailer's errors say without text: a server's answer may contain the address. */
type Failure = { code?: string; responseCode?: number; command?: string; permanent?: boolean }

/** The mail server refuses this recipient or this message, and would refuse it again (RFC 5321, 4.2.1). */
const isFinal = ({ permanent, command }: Failure) => permanent === true && /^(RCPT TO|DATA)$/.test(command ?? '')

/**
 * Sends what is in the outbox, at least once: a process that exits after the mail server took a mail, and before it deletes
 * the document, leaves it to another.
 */
export function mailSender({ log, makeReset, noteRefusal, origin, outbox, registry, send }: Parts) {
  const closing = new AbortController()
  const lanes = new Set<Promise<void>>()
  let results: ReturnType<typeof measureMails> | undefined
  let isOpen = false
  let polling: NodeJS.Timeout | undefined

  async function trySending(id: string, mail: Mail): Promise<void> {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(tryTimeoutMs)])
    await send(id, composeMail(mail, origin()), signal)
  }

  async function giveUp(leased: Leased, facts: object): Promise<void> {
    const { id, kind, tries } = leased
    log.warn({ mail: id, kind, tries, ...facts }, 'mail given up')
    await outbox.delete(leased)
    results?.inc({ result: 'given-up' })
  }

  async function tryAgain(leased: Leased, facts: object): Promise<void> {
    const { id, kind, tries } = leased
    results?.inc({ result: 'failed' })
    log.warn({ mail: id, kind, tries, ...facts }, 'mail not sent, it will be tried again')
    const delayMs = mailBackOffMs(tries)
    await outbox.release(leased, delayMs)
    wakeIn(delayMs)
  }

  async function handle(leased: Leased): Promise<void> {
    const { id, job } = leased
    if (leased.isLate) return giveUp(leased, {})
    // Another process may have the key by now, or this one soon.
    if (!job) return tryAgain(leased, { reason: 'no key of this server opens its link' })
    const mail = job.kind === 'reset-request' ? await makeReset(leased, job) : job
    if (!mail) return
    try {
      await trySending(id, mail)
    } catch (error) {
      if (closing.signal.aborted) return outbox.release(leased, 0)
      const failure = error as Failure // whatever was thrown: all members are optional
      const { code, responseCode, command } = failure
      if (isFinal(failure)) return giveUp(leased, { code, responseCode, command })
      return tryAgain(leased, { code, responseCode, command })
    }
    await outbox.delete(leased)
    results?.inc({ result: 'sent' })
  }

  async function runLane(): Promise<void> {
    while (isOpen) {
      const leased = await outbox.lease()
      if (!leased) return
      // There may be more, and this one may take long.
      wake()
      await handle(leased)
    }
  }

  function wake(): void {
    if (!isOpen || lanes.size === maxSending) return
    const lane = runLane()
      .catch((error) => {
        if (isOpen && !noteRefusal(error)) log.warn({ err: error }, 'outbox failed, it is read again soon')
      })
      .finally(() => lanes.delete(lane))
    lanes.add(lane)
  }

  function wakeIn(ms: number): void {
    setTimeout(wake, ms + commitMs).unref()
  }

  return {
    start(): void {
      results ??= measureMails(registry, outbox)
      isOpen = true
      polling = setInterval(wake, pollMs).unref()
      wake()
    },

    /** To be called while a transaction adds to the outbox. */
    wakeSoon: () => wakeIn(0),

    /** Mails that are being sent have a second, then another process has them. */
    async close(): Promise<void> {
      isOpen = false
      clearInterval(polling)
      const timer = setTimeout(() => closing.abort(), closeWithinMs)
      await Promise.all(lanes)
      clearTimeout(timer)
      closing.abort()
    },
  }
}

export type MailSender = ReturnType<typeof mailSender>
