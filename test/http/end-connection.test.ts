import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { endConnectionsOf } from '../../src/http/end-connection.ts'

const host = 'Host: localhost\r\n'

/** @param closeMs - that clients have to close */
async function open(t: Test, closeMs: number) {
  const server = createServer({ keepAliveTimeout: 100, keepAliveTimeoutBuffer: 0 }, (_, response) => {
    response.end('x'.repeat(1_000))
  })
  endConnectionsOf(server, closeMs)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  const accepted = once(server, 'connection')
  const { port } = server.address() as AddressInfo // TCP always
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.teardown(() => client.destroy())
  const [served] = (await accepted) as [Socket]
  let isReset = false
  const { resetAndDestroy } = served
  served.resetAndDestroy = () => {
    isReset = true
    return resetAndDestroy.call(served)
  }
  /** How the server's side ended: the client learns of a reset only if something was on its way. */
  const ended = once(served, 'close').then(() => (isReset ? 'reset' : 'closed'))
  return { client, ended }
}

const requests = {
  'an answer that closes': `GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
  'a connection that is idle': `GET / HTTP/1.1\r\n${host}\r\n`,
}

for (const [name, request] of Object.entries(requests)) {
  t.test(`${name}, and that its client does not read, is reset`, { timeout: 30_000 }, async (t) => {
    const { client, ended } = await open(t, 50)
    client.write(request)
    t.equal(await ended, 'reset')
  })

  t.test(`${name} ends, and its client closes it`, { timeout: 30_000 }, async (t) => {
    const { client, ended } = await open(t, 60_000)
    client.write(request)
    await once(client.resume(), 'end')
    client.end()
    t.equal(await ended, 'closed')
  })
}
