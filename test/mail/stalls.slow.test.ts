import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { defaultSender } from '../../src/mail/config.ts'
import { mailTransport } from '../../src/mail/transport.ts'
import { phases, startMailServer } from './mail-server.ts'

const message = { to: 'ann@mail.example', subject: 'Hello', text: 'Hello\n', html: '<p>Hello</p>\n' }

function sendTo(port: number, signal = new AbortController().signal) {
  const config = { kind: 'smtp', from: defaultSender, folder: '' } as const
  const mailServer = { host: '127.0.0.1', port, tls: 'none', auth: undefined } as const
  return mailTransport({ config, log: pino({ level: 'silent' }), mailServer: () => mailServer })('id', message, signal)
}

t.test('a mail server that stalls, in whichever phase, ends a try', { timeout: 120_000 }, async (t) => {
  await Promise.all(
    phases.map(async (stalled) => {
      const server = await startMailServer(t, (phase) => (phase === stalled ? 'stall' : 'accept'))
      await t.rejects(sendTo(server.port), { code: 'ETIMEDOUT' }, stalled)
    }),
  )
})

/** A server of SMTP's first line alone, until the end of the test. @returns its port */
async function startGreeter(t: Test, greet: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    greet(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('TCP has a port')
  return address.port
}

t.test('a server that greets and then says nothing ends a try', { timeout: 60_000 }, async (t) => {
  const port = await startGreeter(t, (socket) => void socket.write('220 mail.example ESMTP\r\n'))
  await t.rejects(sendTo(port), { code: 'ETIMEDOUT' })
})

t.test('a server that sends a byte now and then is ended by the signal', { timeout: 60_000 }, async (t) => {
  const port = await startGreeter(t, (socket) => {
    const timer = setInterval(() => socket.write('220-wait\r\n'), 200)
    socket.on('close', () => clearInterval(timer))
  })
  await t.rejects(sendTo(port, AbortSignal.timeout(3_000)), { code: 'EABORT' })
})
