import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { limitUnreadAnswers } from '../../src/limits/unread-answers.ts'
import { eventually } from '../eventually.ts'

/** More than the operating system takes of an answer that is not read. */
const million = 1_000_000

/** A server that closes connections when 30 million characters are unread. */
async function startServer(t: Test, trustedProxies: readonly string[] = []) {
  const app = Fastify()
  limitUnreadAnswers(app, { trustedProxies, maxLength: 30 * million })
  app.get('/:millions', async ({ params }) => {
    const { millions } = params as { millions: string } // the route's own
    return 'x'.repeat(Number(millions) * million)
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(() => app.close())
  const { port } = app.server.address() as AddressInfo // TCP always

  const accepted: { remoteAddress: string | undefined; writableLength: number }[] = []
  app.server.on('connection', (socket) => {
    accepted.push(socket)
    socket.once('close', () => accepted.splice(accepted.indexOf(socket), 1))
  })
  async function ask(localAddress: string, millions: number, client = localAddress) {
    const socket = connect({ port, host: '127.0.0.1', localAddress })
    t.teardown(() => socket.destroy())
    await once(socket, 'connect')
    const lines = [`GET /${millions} HTTP/1.1`, 'Host: localhost', `X-Forwarded-For: ${client}`, 'Connection: close']
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
    return socket
  }
  return { accepted, ask }
}

t.test('when too much is unread, connections of the network with the most are closed', async (t) => {
  const { accepted, ask } = await startServer(t)
  const neighbour = await ask('127.0.9.1', 10)
  const busiest = await ask('127.0.0.1', 20)
  await eventually(() => accepted.filter(({ writableLength }) => writableLength >= 10 * million).length === 2)
  await ask('127.0.0.2', 20)
  await eventually(() => accepted.length === 1)
  let code: string | undefined
  busiest.once('error', (error: NodeJS.ErrnoException) => {
    code = error.code
  })
  if (!busiest.resume().closed) await once(busiest, 'close').catch(() => undefined)
  t.equal(code, 'ECONNRESET', 'what the operating system has taken is gone, too')
  t.equal(accepted[0]?.remoteAddress, '127.0.9.1')
  let bytes = 0
  for await (const chunk of neighbour) bytes += chunk.length
  t.ok(bytes > 10 * million, 'the neighbour’s answer arrives whole')
})

t.test('connections of a trusted proxy count for the networks of its clients', async (t) => {
  const { accepted, ask } = await startServer(t, ['127.0.0.1'])
  const pass = async (client: string, millions: number) =>
    (await ask('127.0.0.1', millions, client)).on('error', () => {})
  const neighbour = await pass('203.0.113.1', 10)
  await pass('198.51.100.1', 10)
  await eventually(() => accepted.filter(({ writableLength }) => writableLength >= 5 * million).length === 2)
  await pass('198.51.100.2', 20)
  await eventually(() => accepted.length < 3)
  let bytes = 0
  for await (const chunk of neighbour) bytes += chunk.length
  t.ok(bytes > 10 * million, 'the neighbour’s answer arrives whole')
})
