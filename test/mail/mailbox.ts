import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Db } from 'mongodb'
import type { Test } from 'tap'
import { eventually } from '../eventually.ts'
import { makeClient, password, signUp } from '../helper.ts'

/** @property text - the whole message, with its lines joined again */
export type Received = { id: string; to: string; subject: string; text: string }

export function parseMail(raw: string): Received {
  // Quoted-printable, if a line is long.
  const text = raw.replaceAll('\r\n', '\n').replaceAll('=\n', '').replaceAll('=3D', '=')
  const header = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? ''
  return { id: header('Message-ID'), to: header('To'), subject: header('Subject'), text }
}

/** A DATA_DIR, whose folder `mail` gets the mails of a server without SMTP_URL. */
export async function mailFolder(t: Test) {
  const dataDir = await mkdtemp(join(tmpdir(), 'rookery-mail-'))
  t.teardown(() => rm(dataDir, { recursive: true, force: true, maxRetries: 3 }))
  return mailbox(dataDir)
}

export function mailbox(dataDir: string) {
  const folder = join(dataDir, 'mail')

  /** The oldest first. */
  async function list(): Promise<Received[]> {
    const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.eml'))
    // The server deletes old ones.
    const texts = await Promise.all(names.sort().map((name) => readFile(join(folder, name), 'utf8').catch(() => '')))
    return texts.filter((text) => text !== '').map(parseMail)
  }

  /** The newest mail to an address with this subject, as soon as there are so many. */
  async function receive(to: string, subject: string, count = 1): Promise<Received> {
    let found: Received[] = []
    await eventually(async () => {
      found = (await list()).filter((mail) => mail.to === to && mail.subject === subject)
      return found.length >= count
    })
    const newest = found.at(-1)
    if (!newest) throw new Error('there is one')
    return newest
  }

  return { dataDir, folder, list, receive, env: { DATA_DIR: dataDir } }
}

/** Resolves when the outbox has no mail that is due. Notices that are held back stay. */
export const drained = (db: Db) =>
  eventually(async () => {
    const isHeld = { tries: 0, dueAt: { $gt: new Date() } }
    return (await db.collection('outbox').countDocuments({ $nor: [isHeld] })) === 0
  })

export type Mailbox = ReturnType<typeof mailbox>

export const subjects = {
  verify: 'Verify your e-mail address',
  reset: 'Reset your password',
}

export function tokenIn({ text }: Pick<Received, 'text'>, purpose: 'reset' | 'verify'): string {
  const token = new RegExp(`/#${purpose}=([\\w-]+)`).exec(text)?.[1]
  if (token === undefined) throw new Error(`no ${purpose} link in ${text}`)
  return token
}

type User = Awaited<ReturnType<typeof signUp>>

/** Confirms the password, enters an address, and uses its link. */
export async function verifyAddress(url: string, { client }: User, box: Mailbox, address: string, count = 1) {
  await client.post('v1/session/confirm', { json: { password } })
  const entered = await client.put('v1/account/email', { json: { email: address } })
  if (entered.statusCode !== 202) throw new Error(`PUT answered ${entered.statusCode}`)
  const token = tokenIn(await box.receive(address, subjects.verify, count), 'verify')
  const verified = await makeClient(url).post('v1/email-verification', { json: { token } })
  if (verified.statusCode !== 204) throw new Error(`the link answered ${verified.statusCode}`)
  return token
}

/** A new account with a verified address. */
export async function signUpWithAddress(url: string, box: Mailbox, address?: string) {
  const user = await signUp(url)
  const email = address ?? `${user.username}@mail.example`
  await verifyAddress(url, user, box, email)
  return { ...user, email }
}

export const requestReset = (url: string, username: string) =>
  makeClient(url).post('v1/password-reset', { json: { username } })

export const confirmReset = (url: string, token: string, newPassword: string) =>
  makeClient(url).post<{ code: string }>('v1/password-reset/confirm', { json: { token, newPassword } })
