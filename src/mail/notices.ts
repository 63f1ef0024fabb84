import type { ClientSession } from 'mongodb'
import type { ClientInfo } from '../http/client-info.ts'
import type { EmailStore } from './emails.ts'
import { noticeTexts } from './notice-texts.ts'
import type { OutboxStore } from './outbox.ts'

type Parts = {
  emails: Pick<EmailStore, 'findRecipient' | 'setNoticed'>
  /** Whether this server sends mails. */
  isOn: boolean
  outbox: Pick<OutboxStore, 'add'>
}

export type Notices = {
  isTold(event: string): boolean
  /** Writes the notice of an event, if there is one for it and the account has a verified address. */
  add(account: string, event: string, client: ClientInfo, transaction: ClientSession): Promise<void>
}

/** For stores that record nothing. */
export const noNotices: Notices = { add: async () => undefined, isTold: () => false }

const foldWithinMs = 15 * 60_000
const giveUpAfterMs = 24 * 3_600_000

/** At most one of each event in 15 minutes: the next one says how many there were. */
export function mailNotices({ emails, isOn, outbox }: Parts): Notices {
  const isTold = (event: string) => isOn && Object.hasOwn(noticeTexts, event)
  return {
    isTold,

    async add(account, event, { ip, userAgent }, transaction) {
      if (!isTold(event)) return
      const recipient = await emails.findRecipient(account, transaction)
      if (!recipient) return
      const at = new Date()
      const last = recipient.noticed?.[event]
      if (last && at.getTime() - last.at.getTime() < foldWithinMs) {
        await emails.setNoticed(account, event, { at: last.at, more: last.more + 1 }, transaction)
        return
      }
      await emails.setNoticed(account, event, { at, more: 0 }, transaction)
      const { address: to, username } = recipient
      const count = 1 + (last?.more ?? 0)
      const giveUpAt = new Date(at.getTime() + giveUpAfterMs)
      await outbox.add({ kind: 'notice', to, username, event, count, at, ip, userAgent }, giveUpAt, transaction)
    },
  }
}
