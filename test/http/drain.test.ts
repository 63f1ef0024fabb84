import { once } from 'node:events'
import { connect } from 'node:net'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { supportDraining } from '../../src/http/drain.ts'
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

/** A server with a request that runs until `finish`, and one whose body does not arrive. */
async function withUnfinished(t: Test, options: { graceSeconds: number; arrivalSeconds?: number }) {
  const app = Fastify()
  supportDraining(app, { drainSeconds: 0, ...options })
  const running = Promise.withResolvers<void>()
  app.post('/', async () => running.promise.then(() => 'finished'))
  const port = Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port)
  t.teardown(() => app.close())
  const open = async (body: string) => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1')
    socket.on('error', () => undefined)
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n'
    socket.write(`${head}Expect: 100-continue\r\n\r\n`)
    await once(socket, 'data')
    socket.write(body)
    let said = ''
    socket.on('data', (text) => {
      said += text
    })
    return once(socket, 'close').then(() => said)
  }
  const closed = { running: open('{}'), slow: open('{') }
  // Answered after the others were read.
  for (let n = 0; n < 3; n += 1) await fetch(`http://127.0.0.1:${port}/none`, { headers: { connection: 'close' } })
  return { app, finish: running.resolve, closed }
}

t.test('a request that does not arrive is closed 5 s after the drain period, and not counted as cut off', async (t) => {
  const { app, finish, closed } = await withUnfinished(t, { graceSeconds: 60, arrivalSeconds: 0.1 })
  const drained = app.drain()
  t.equal(await closed.slow, '')
  finish()
  t.match(await closed.running, /200 OK[\s\S]*finished/, 'what runs is finished')
  t.equal(await drained, 0)
})

t.test('requests that run at the end of GRACE_SECONDS are cut off, and counted', async (t) => {
  const { app, closed } = await withUnfinished(t, { graceSeconds: 0 })
  t.equal(await app.drain(), 1)
  t.same(await Promise.all([closed.running, closed.slow]), ['', ''])
})

t.test('an idle connection closes, and does not keep the server from closing', async (t) => {
  const { app, port } = await testServer(t)
  const idle = connect(port, '127.0.0.1').resume()
  await once(idle, 'connect')
  const closed = once(idle, 'close')
  t.equal(await app.drain(), 0)
  await closed
})
