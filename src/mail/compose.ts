import { clientWords } from './client-words.ts'
import { type LinkPurpose, linkUrl } from './link.ts'
import { noticeTexts } from './notice-texts.ts'
import type { Mail } from './outbox.ts'

export type Message = { to: string; subject: string; text: string; html: string }

/** A paragraph, or a URL that stands alone. */
type Part = string | { url: string }

const maxLineLength = 72

const wrap = (paragraph: string) =>
  paragraph
    .split('\n')
    .map((line) => line.replace(new RegExp(`(.{1,${maxLineLength}})( +|$)`, 'g'), '$1\n').trimEnd())
    .join('\n')

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => entities[character] ?? '')

const toText = (parts: readonly Part[]) =>
  `${parts.map((part) => (typeof part === 'string' ? wrap(part) : part.url)).join('\n\n')}\n`

function toHtml(parts: readonly Part[]): string {
  const paragraphs = parts.map((part) => {
    if (typeof part !== 'string') return `<p><a href="${escapeHtml(part.url)}">${escapeHtml(part.url)}</a></p>`
    return `<p>${escapeHtml(part).replaceAll('\n', '<br>\n')}</p>`
  })
  return `<!doctype html>\n<html lang="en">\n<body>\n${paragraphs.join('\n')}\n</body>\n</html>\n`
}

/** Seconds are enough for a person, and UTC says so. */
const timeWords = (at: Date) => `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`

/** An operator has no address. */
const causeOf = ({ at, ip, userAgent }: { at: Date; ip: string; userAgent: string }) =>
  `When: ${timeWords(at)}\nFrom: ${ip === '' ? 'the operator of this service' : `${ip}, ${clientWords(userAgent)}`}`

const messageOf = (to: string, subject: string, parts: readonly Part[]): Message => ({
  to,
  subject,
  text: toText(parts),
  html: toHtml(parts),
})

/** @param origin - where the page is. @throws Error for an event that this version does not know */
export function composeMail(mail: Mail, origin: string): Message {
  const { to, username } = mail
  const hello = `Hello ${username},`
  const link = (purpose: LinkPurpose, token: string): Part => ({ url: linkUrl(origin, purpose, token) })
  switch (mail.kind) {
    case 'verification':
      return messageOf(to, 'Verify your e-mail address', [
        hello,
        `This e-mail address was entered for the account ${username}. Open this link to verify it:`,
        link('verify', mail.token),
        'The link works once, within 24 hours.',
        'If you did not enter it, ignore this mail: without the link, the address is not used.',
      ])
    case 'reset':
      return messageOf(to, 'Reset your password', [
        hello,
        `A new password was requested for the account ${username}. Open this link to choose it:`,
        link('reset', mail.token),
        'The link works once, within 30 minutes. It ends all sessions.',
        causeOf(mail),
        'If it was not you, ignore this mail: your password stays what it is.',
      ])
    case 'notice': {
      const text = noticeTexts[mail.event]
      if (!text) throw new Error(`no notice has the event ${mail.event}`)
      return messageOf(to, text.subject, [
        hello,
        text.what,
        causeOf(mail),
        ...(mail.count > 1 ? [`It has happened ${mail.count} times since the last mail about it.`] : []),
        text.advice,
        { url: `${origin}/` },
      ])
    }
  }
}
