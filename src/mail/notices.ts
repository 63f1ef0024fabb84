import type { ClientSession } from 'mongodb'
import type { ClientInfo } from '../http/client-info.ts'
import type { EmailStore, Recipient } from './emails.ts'
import { noticeTexts } from './notice-texts.ts'
import type { OutboxStore } from './outbox.ts'

type Parts = {
  emails: Pick<EmailStore, 'findRecipient' | 'setNoticed'>
  /** Whether this server sends mails. */
  isOn: boolean
  outbox: Pick<OutboxStore, 'add' | 'repeat'>
}

export type Notices = {
  isTold(event: string): boolean
  /** Writes the notice of an event, if there is one for it and the account has a verified address. */
  add(account: string, event: string, client: ClientInfo, transaction: ClientSession): Promise<void>
}

/** For stores that record nothing. */
export const noNotices: Notices = { add: async () => undefined, isTold: () => false }

const foldWithinMs = 15 * 60_000
/** Of what an owner who mistypes causes, too. */
const longerFolds: Readonly<Record<string, number>> = { 'second-factor-failed': 6 * 3_600_000 }
const giveUpAfterMs = 24 * 3_600_000

/**
 * After links, which expire, and after notices of accounts that have had fewer: one client with a thousand accounts can cause
 * more than a mail server takes.
 */
const rankOf = ({ noticed = {} }: Recipient, now: Date): number =>
  1 + Object.values(noticed).filter(({ at }) => now.getTime() - at.getTime() < foldWithinMs).length

/** At most one of each event in 15 minutes. Those that follow within them share one, which is sent at their end. */
export function mailNotices({ emails, isOn, outbox }: Parts): Notices {
  const isTold = (event: string) => isOn && Object.hasOwn(noticeTexts, event)
  return {
    isTold,

    async add(account, event, { ip, userAgent }, transaction) {
      if (!isTold(event)) return
      const recipient = await emails.findRecipient(account, transaction)
      if (!recipient) return
      const cause = { at: new Date(), ip, userAgent }
      const last = recipient.noticed?.[event]
      if (last?.mail && last.at > cause.at) {
        const { outcome } = await outbox.repeat(last.mail, cause, transaction)
        if (outcome === 'repeated') return
      }
      const freeAt = new Date((last?.at.getTime() ?? 0) + (longerFolds[event] ?? foldWithinMs))
      const dueAt = freeAt > cause.at ? freeAt : undefined
      const at = dueAt ?? cause.at
      const { address: to, username } = recipient
      const job = { kind: 'notice', to, username, event, count: 1, ...cause } as const
      const giveUpAt = new Date(at.getTime() + giveUpAfterMs)
      const mail = await outbox.add(job, giveUpAt, transaction, { dueAt, rank: rankOf(recipient, cause.at) })
      await emails.setNoticed(account, event, { at, mail }, transaction)
    },
  }
}
