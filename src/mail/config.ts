import { isEmailAddress } from './address.ts'

/** Of the header From. */
export type Sender = { name: string; address: string }

/**
 * How mails leave: by the mail server of SMTP_URL, as files of this folder in development, or not at all.
 */
export type MailConfig = { kind: 'smtp' | 'folder' | 'none'; from: Sender; folder: string }

export const defaultSender: Sender = { name: 'Rookery', address: 'rookery@localhost' }

/** Parses `Name <address>`, or an address alone. */
export function parseSender(text: string): Sender | undefined {
  const [, name = '', address = text] = /^([^\p{Cc}"<>]+?) *<([^<>]+)>$/u.exec(text) ?? []
  return isEmailAddress(address) ? { name, address } : undefined
}
