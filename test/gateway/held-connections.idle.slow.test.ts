import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type RequestOptions, request } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect as secureConnect } from 'node:tls'
import t, { type Test } from 'tap'
import { runNginx } from '../../gateway/nginx.ts'
import { findFreePort } from '../../src/embedded-mongod/port.ts'
import { eventually } from '../eventually.ts'
import { certificate } from './certificate.ts'

const skip = spawnSync('nginx', ['-v']).error ? 'nginx is not installed' : false

/** nginx with https in front of one server, which accepts as long a header as ours do and answers with its path's length. */
async function startBalancer(t: Test) {
  const service = createServer({ maxHeaderSize: 16 * 1024 }, (request, response) =>
    response.end(String(request.url?.length)),
  )
  await once(service.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => service.close())
  const address = `127.0.0.1:${(service.address() as AddressInfo).port}` // TCP always
  const port = await findFreePort()
  const values = { FIRST_ADDRESS: address, SECOND_ADDRESS: address, ...(await certificate(t)) }
  const nginx = await runNginx({ host: '127.0.0.1', port, template: 'balancer.conf.template', values })
  t.teardown(() => nginx.close())
  return { host: '127.0.0.1', port, agent: false, rejectUnauthorized: false } as const
}

async function get(options: RequestOptions) {
  const [response] = (await once(request(options).end(), 'response')) as [IncomingMessage] // the event's arguments
  return { status: response.statusCode, body: await text(response) }
}

t.test(
  '5,000 connections of one address whose handshake never ends keep no other address out, and nginx closes them in time',
  { skip, timeout: 180_000 },
  async (t) => {
    const target = await startBalancer(t)
    // Six bytes of a ClientHello: limit_conn counts a connection only once its header has arrived.
    const partOfHello = Buffer.from([0x16, 3, 1, 2, 0, 1])
    const openMs: number[] = []
    let openCount = 0
    let isAttack = true
    const open = () => {
      const socket = connect({ ...target, localAddress: '127.0.9.1' })
      t.teardown(() => socket.destroy())
      openCount += 1
      const openedAt = performance.now()
      socket.on('error', () => undefined)
      socket.on('close', () => {
        openCount -= 1
        openMs.push(performance.now() - openedAt)
        if (isAttack) setTimeout(open, 100)
      })
      socket.resume().write(partOfHello)
      return socket
    }
    for (let n = 1; n <= 5_000; n += 1) {
      const socket = open()
      // A few at a time, so that nginx accepts each before their queue is full.
      if (n % 100 === 0) await eventually(() => !socket.connecting)
    }
    for (let n = 0; n < 5; n += 1) {
      const answer = await get({ ...target, localAddress: '127.0.9.2' }).catch((error: Error) => error)
      t.match(answer, { status: 200 })
    }
    isAttack = false
    await eventually(() => openCount === 0)
    // client_header_timeout, 10 s. One that finds no room is closed at once.
    t.equal(openMs.filter((ms) => ms < 5_000).length, 0)
  },
)

t.test(
  'nginx passes on a header as long as a server accepts, and keeps at most 33 KiB of one that does not end',
  { skip, timeout: 120_000 },
  async (t) => {
    const target = await startBalancer(t)
    for (const path of ['/', `/${'a'.repeat(7_000)}`]) {
      const headers = { host: 'localhost', cookie: 'a'.repeat(8_000) }
      t.same(await get({ ...target, path, headers }), { status: 200, body: String(path.length) })
    }
    const socket = secureConnect(target)
    t.teardown(() => socket.destroy())
    socket.on('error', () => undefined)
    const fields = Array.from({ length: 5 }, (_, n) => `X-${n}: ${'a'.repeat(8_000)}\r\n`)
    socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\n${fields.join('')}`)
    // Of one that does not end and fits, nothing is answered: the connection is closed after client_header_timeout.
    t.match(await text(socket), /^HTTP\/1\.1 400 /)
  },
)
