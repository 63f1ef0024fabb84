import type { ClientSession } from 'mongodb'
import type { ActivityStore } from '../activity/store.ts'
import type { CredentialStore } from '../credentials/store.ts'
import type { Transact } from '../database/transaction.ts'
import type { EmailStore } from './emails.ts'
import { lifetimesMs, newLinkToken } from './link.ts'
import type { Leased, Mail, OutboxStore, ResetRequest } from './outbox.ts'

type Parts = {
  activity: Pick<ActivityStore, 'record'>
  credentials: Pick<CredentialStore, 'version'>
  emails: Pick<EmailStore, 'findRecipient' | 'setReset'>
  outbox: Pick<OutboxStore, 'delete' | 'replace'>
  transact: Transact
}

/**
 * Requests of strangers must neither fill a mailbox nor void the link that the owner is about to use: at any time, the
 * newest link is valid for 15 more minutes, or another one is sent.
 */
const minAgeMs = lifetimesMs.reset / 2

/**
 * Answers requests to reset a password, after their response: what it costs, and whether there is a mail, shows nothing.
 * @returns a function that makes the mail of a request; undefined if there is none, and the request is deleted
 */
export function resetLinks({ activity, credentials, emails, outbox, transact }: Parts) {
  return async (leased: Leased, { account, at, ip, userAgent }: ResetRequest): Promise<Mail | undefined> => {
    const { token, hash } = newLinkToken(account)
    return transact(async (transaction: ClientSession) => {
      const recipient = await emails.findRecipient(account, transaction)
      const version = await credentials.version(account, transaction)
      const { reset } = recipient ?? {}
      const isRecent = reset?.version === version && reset !== undefined && at.getTime() - reset.at.getTime() < minAgeMs
      if (!recipient || version === undefined || isRecent) {
        await outbox.delete(leased, transaction)
        return undefined
      }
      const { address: to, username } = recipient
      const mail: Mail = { kind: 'reset', to, username, token, at, ip, userAgent }
      const giveUpAt = new Date(at.getTime() + lifetimesMs.reset)
      const { outcome } = await outbox.replace(leased, mail, giveUpAt, transaction)
      // Another process makes the link by now: this one would void it.
      if (outcome === 'not-found') return undefined
      await emails.setReset(account, { hash, version, at }, transaction)
      await activity.record(account, 'password-reset-requested', { ip, userAgent }, transaction)
      return mail
    })
  }
}

export type ResetLinks = ReturnType<typeof resetLinks>
