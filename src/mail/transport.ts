import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FastifyBaseLogger } from 'fastify'
import type { SendMailOptions, SMTPTransportOptions } from 'nodemailer'
import type { MailServer } from '../secrets/mail-server.ts'
import type { Message } from './compose.ts'
import type { MailConfig, Sender } from './config.ts'

/** @param id - of the outbox document: the same for a message that is sent again */
export type SendMessage = (id: string, message: Message, signal: AbortSignal) => Promise<void>

type Parts = {
  config: MailConfig
  log: FastifyBaseLogger
  /** It can change while the server runs. */
  mailServer: () => MailServer | undefined
}

/** Of each phase. The signal ends a server that sends a byte now and then. */
const timeouts = {
  dnsTimeout: 10_000,
  connectionTimeout: 10_000,
  greetingTimeout: 10_000,
  socketTimeout: 20_000,
  socketCloseTimeout: 1_000,
}

const maxFiles = 200

const isolated = { disableFileAccess: true, disableUrlAccess: true } as const

function optionsOf(id: string, { to, ...content }: Message, from: Sender): SendMailOptions {
  return {
    ...content,
    // Nodemailer writes to it.
    from: { ...from },
    // An object: as a text, it would be parsed as a list of addresses.
    to: { name: '', address: to },
    messageId: `<${id}@${from.address.split('@')[1]}>`,
    // So that no program answers it (RFC 3834).
    headers: { 'Auto-Submitted': 'auto-generated' },
    xMailer: false,
  }
}

function connectionOf({ host, port, tls, auth }: MailServer): SMTPTransportOptions {
  return {
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    // On loopback, where a certificate is rarely valid.
    ignoreTLS: tls === 'none',
    ...(auth && { auth: { user: auth.username, pass: auth.password } }),
    ...timeouts,
    ...isolated,
  }
}

/** Nodemailer is loaded with the first message: most starts need none. */
export function mailTransport({ config, log, mailServer }: Parts): SendMessage {
  const { folder, from, kind } = config

  async function sendBySmtp(id: string, message: Message, signal: AbortSignal): Promise<void> {
    const server = mailServer()
    if (!server) throw new Error('there is no mail server')
    const { createTransport } = await import('nodemailer')
    await createTransport(connectionOf(server)).sendMail({ ...optionsOf(id, message, from), signal })
  }

  /** For development: a file with the whole message. The newest files are kept. */
  async function writeFileOf(id: string, message: Message): Promise<void> {
    const { createTransport } = await import('nodemailer')
    const transport = createTransport({ streamTransport: true, buffer: true, newline: 'unix', ...isolated })
    const { message: bytes } = await transport.sendMail(optionsOf(id, message, from))
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const file = join(folder, `${id}.eml`)
    // A reader must not see half of it.
    await writeFile(`${file}.new`, bytes, { mode: 0o600 })
    await rename(`${file}.new`, file)
    log.info({ file }, `mail written to ${file}`)
    // Their names ascend with their times.
    const names = (await readdir(folder)).filter((name) => name.endsWith('.eml')).sort()
    await Promise.all(names.slice(0, -maxFiles).map((name) => rm(join(folder, name), { force: true })))
  }

  return kind === 'smtp' ? sendBySmtp : writeFileOf
}
