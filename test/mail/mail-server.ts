import { once } from 'node:events'
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server'
import type { Test } from 'tap'
import { parseMail, type Received } from './mailbox.ts'

export const phases = ['connect', 'mail', 'recipient', 'data'] as const
export type Phase = (typeof phases)[number]

/** A status of 4xx or 5xx; no answer; or the end of the connection. */
export type Answer = 'accept' | 'stall' | 'drop' | number

type Done = (error?: Error | null) => void

/** What the package keeps of a connection. */
type Connection = { session: SMTPServerSession; _socket: { destroy(): void } }

/**
 * A mail server, until the end of the test.
 * @param answer - to a phase of a message to a recipient, who is not known before the phase `recipient`
 */
export async function startMailServer(
  t: Test,
  answer: (phase: Phase, to: string) => Answer = () => 'accept',
  options: SMTPServerOptions = {},
) {
  const received: Received[] = []
  /** What it took, whether or not the client heard so. */
  const taken: Received[] = []
  const asked: Phase[] = []

  function decide(phase: Phase, session: SMTPServerSession, done: Done, to = ''): void {
    asked.push(phase)
    const decided = answer(phase, to)
    if (decided === 'accept') done()
    else if (decided === 'drop') {
      const connections = [...(server.connections as unknown as Set<Connection>)] // a Set of its own class
      for (const connection of connections) if (connection.session.id === session.id) connection._socket.destroy()
    } else if (decided !== 'stall') done(Object.assign(new Error('not now'), { responseCode: decided }))
  }

  const server = new SMTPServer({
    authOptional: true,
    closeTimeout: 100,
    disabledCommands: ['STARTTLS'],
    onConnect: (session, done) => decide('connect', session, done),
    onMailFrom: (_address, session, done) => decide('mail', session, done),
    onRcptTo: ({ address }, session, done) => decide('recipient', session, done, address),
    async onData(stream, session, done) {
      const chunks: Buffer[] = []
      for await (const chunk of stream) chunks.push(chunk)
      const mail = parseMail(Buffer.concat(chunks).toString())
      taken.push(mail)
      const accept: Done = (error) => {
        if (!error) received.push(mail)
        done(error)
      }
      decide('data', session, accept, session.envelope.rcptTo[0]?.address)
    },
    ...options,
  })
  // A connection that ends in the middle.
  server.on('error', () => undefined)
  const listening = server.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  t.teardown(() => new Promise<void>((resolve) => server.close(resolve)))
  const address = listening.address()
  if (address === null || typeof address === 'string') throw new Error('TCP has a port')
  const { port } = address
  const env = { SMTP_URL: `smtp://127.0.0.1:${port}`, MAIL_FROM: 'Rookery <no-reply@rookery.example>' }
  return { asked, env, port, received, taken }
}
