import { isLoopback } from '../http/public-origins.ts'

/** The mail server. @property tls - from the first byte, before anything else is said, or not at all on loopback */
export type MailServer = {
  readonly host: string
  readonly port: number
  readonly tls: 'implicit' | 'starttls' | 'none'
  readonly auth: { readonly username: string; readonly password: string } | undefined
}

const form = 'smtp://USER:PASSWORD@HOST:PORT or smtps://USER:PASSWORD@HOST:PORT'
/** Of submission (RFC 8314). */
const defaultPorts = { smtp: 587, smtps: 465 } as const

/** Percent-encoding is undone. @returns undefined if it is faulty */
function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** Parses SMTP_URL. Adds faults to `faults`, none with any part of it. */
export function parseMailServer(text: string, faults: string[]): MailServer | undefined {
  const refuse = (fault: string) => void faults.push(`SMTP_URL ${fault}`)
  const url = URL.canParse(text) ? new URL(text) : undefined
  const scheme = /^(smtps?):$/.exec(url?.protocol ?? '')?.[1] as keyof typeof defaultPorts | undefined // by the pattern
  if (!url || !scheme || url.hostname === '') return refuse(`must be ${form}`)
  if (url.search !== '' || url.hash !== '' || !['', '/'].includes(url.pathname))
    return refuse('must end with the host or the port: encode other characters of the password, such as %2F for /')
  const [username, password] = [decode(url.username), decode(url.password)]
  if (username === undefined || password === undefined)
    return refuse('must have its user and password percent-encoded: %25 for %')
  if ((username === '') !== (password === '')) return refuse('must have both a user and a password, or neither')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return {
    host,
    port: url.port === '' ? defaultPorts[scheme] : Number(url.port),
    tls: scheme === 'smtps' ? 'implicit' : isLoopback(host) ? 'none' : 'starttls',
    auth: username === '' ? undefined : { username, password },
  }
}
