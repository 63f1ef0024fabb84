import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import Fastify from 'fastify'
import t from 'tap'
import { assertPresent } from '../../src/http/departed-clients.ts'
import { eventually } from '../eventually.ts'

t.test('a handler does not run for a client that has sent its request and left', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  let begun = 0
  let handled = 0
  app.addHook('onRequest', async () => {
    begun += 1
  })
  app.addHook('preHandler', assertPresent)
  app.get('/', async () => {
    handled += 1
    return 'ok'
  })
  await app.listen({ port: 0 })
  const { port } = app.server.address() as AddressInfo // It listens on a port.
  const send = async () => {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    return socket
  }

  const present = await send()
  t.match(String((await once(present, 'data'))[0]), /^HTTP\/1\.1 200/)
  present.destroy()
  t.equal(handled, 1, 'a client that waits is served')

  for (let n = 0; n < 50; n += 1) (await send()).end()
  await eventually(async () => begun === 51)
  await new Promise((resolve) => setTimeout(resolve, 50))
  t.ok(handled < 26, `${handled - 1} of 50 that left were served`)
})
