import { readdir } from 'node:fs/promises'
import { pino } from 'pino'
import { generate } from 'selfsigned'
import t from 'tap'
import { defaultSender } from '../../src/mail/config.ts'
import { mailTransport } from '../../src/mail/transport.ts'
import type { MailServer } from '../../src/secrets/mail-server.ts'
import { startMailServer } from './mail-server.ts'
import { mailFolder } from './mailbox.ts'

const message = { to: 'ann@mail.example', subject: 'Hello', text: 'Hello\n', html: '<p>Hello</p>\n' }
const log = pino({ level: 'silent' })
const never = new AbortController().signal

function sendTo(server: MailServer) {
  const config = { kind: 'smtp', from: defaultSender, folder: '' } as const
  return mailTransport({ config, log, mailServer: () => server })('an-id', message, never)
}

const onLoopback = (port: number, tls: MailServer['tls']): MailServer => ({
  host: '127.0.0.1',
  port,
  tls,
  auth: undefined,
})

t.test('where TLS is required, nothing is sent without it, nor to a server without a valid certificate', async (t) => {
  const plain = await startMailServer(t)
  await t.rejects(sendTo(onLoopback(plain.port, 'starttls')), { code: 'ETLS' })
  await t.rejects(sendTo(onLoopback(plain.port, 'implicit')))
  t.same([plain.asked.includes('mail'), plain.taken], [false, []])
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'mail.example' }])
  const selfSigned = await startMailServer(t, undefined, { key, cert, disabledCommands: [] })
  await t.rejects(sendTo(onLoopback(selfSigned.port, 'starttls')), { message: /self-signed/ })
  t.same(selfSigned.taken, [])
  await sendTo(onLoopback(selfSigned.port, 'none'))
  t.equal(selfSigned.received.length, 1, 'on loopback, no certificate is asked for')
})

t.test('of the mails in a folder, the newest 200 are kept', async (t) => {
  const box = await mailFolder(t)
  const config = { kind: 'folder', from: defaultSender, folder: box.folder } as const
  const send = mailTransport({ config, log, mailServer: () => undefined })
  const idOf = (n: number) => String(n).padStart(3, '0')
  for (let n = 1; n <= 202; n += 1) await send(idOf(n), message, never)
  const names = await readdir(box.folder)
  t.same(
    names.sort(),
    Array.from({ length: 200 }, (_, n) => `${idOf(n + 3)}.eml`),
  )
})

t.test('a message that is aborted ends its connection', async (t) => {
  const server = await startMailServer(t, (phase) => (phase === 'data' ? 'stall' : 'accept'))
  const config = { kind: 'smtp', from: defaultSender, folder: '' } as const
  const aborting = new AbortController()
  const sending = mailTransport({ config, log, mailServer: () => onLoopback(server.port, 'none') })(
    'an-id',
    message,
    aborting.signal,
  )
  while (server.taken.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  aborting.abort()
  await t.rejects(sending, { code: 'EABORT' })
})
