import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { testServer } from '../helper.ts'

const get = 'GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n'

t.test('pipelined requests: the last answer arrives although more requests do', async (t) => {
  const { app, port } = await testServer(t)
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).setEncoding('latin1')
  let said = ''
  socket.on('data', (text) => {
    said += text
  })
  await once(socket, 'connect')
  socket.write(get)
  await once(socket, 'data')
  const drained = app.drain()
  socket.write(get.repeat(3))
  await once(socket, 'end')
  t.match(said, /^HTTP\/1.1 200.*HTTP\/1.1 200.*connection: close/is)
  socket.write(get)
  socket.end()
  await once(socket, 'close')
  t.equal(await drained, 0)
})

t.test('requests that run at the end of GRACE_SECONDS are cut off, and counted', async (t) => {
  const { app, port } = await testServer(t, { GRACE_SECONDS: '0' })
  const begun = [1, 2].map(() => connect(port, '127.0.0.1').on('error', () => undefined))
  const head = 'POST /v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n'
  for (const socket of begun) {
    socket.write(`${head}Expect: 100-continue\r\n\r\n`)
    await once(socket, 'data')
  }
  const closed = Promise.all(begun.map((socket) => once(socket, 'close')))
  t.equal(await app.drain(), 2)
  await closed
})

t.test('an idle connection closes, and does not keep the server from closing', async (t) => {
  const { app, port } = await testServer(t)
  const idle = connect(port, '127.0.0.1').resume()
  await once(idle, 'connect')
  const closed = once(idle, 'close')
  t.equal(await app.drain(), 0)
  await closed
})
