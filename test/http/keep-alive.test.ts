import dns from 'node:dns'
import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { testServer } from '../helper.ts'
import { ask, isProblem, raw } from './wire.ts'

const get = 'GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n'

t.test('connections that stay', { timeout: 120_000 }, async (t) => {
  const { app, port } = await testServer(t)
  const { keepAliveTimeout, maxConnections } = app.server

  t.test('an idle one outlives a proxy’s patience of 60 seconds, and then ends', async (t) => {
    t.ok(keepAliveTimeout > 60_000 && keepAliveTimeout < 120_000)
    t.match(await ask(port, 'GET', '/health/live', { headers: { connection: 'keep-alive' } }), {
      headers: { connection: 'keep-alive', 'keep-alive': `timeout=${keepAliveTimeout / 1000}` },
    })
    app.server.keepAliveTimeout = 500
    const began = performance.now()
    const answers = await raw(port, get)
    t.equal(answers.length, 1)
    t.ok(performance.now() - began > 500, 'not before its time')
    app.server.keepAliveTimeout = keepAliveTimeout
  })

  t.test('one that is used may go on for any number of requests', async (t) => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1')
    for (let round = 1; round <= 20; round += 1) {
      socket.write(get.repeat(60))
      let text = ''
      while ((text.match(/HTTP\/1\.1 200 /g)?.length ?? 0) < 60) text += (await once(socket, 'data'))[0]
      t.notMatch(text, /connection: close/i, `round ${round}`)
    }
    socket.destroy()
  })

  t.test('one that was refused ends although its client never closes', async (t) => {
    const accepted = once(app.server, 'connection')
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).resume()
    const [served] = await accepted
    const closed = once(served, 'close')
    const began = performance.now()
    socket.write('nonsense\r\n\r\n')
    await closed
    t.ok(performance.now() - began < 30_000, 'soon')
    socket.destroy()
  })

  t.test('there are no more of them than memory can hold; those that are there go on', async (t) => {
    t.ok(maxConnections > 1_000 && maxConnections <= 20_000, `${maxConnections} at most`)
    t.match(app.server, { dropMaxConnection: true }, 'node:cluster hands none round for ever')
    await eventually(async () => (await connections()) === 0)
    app.server.maxConnections = 20
    const first = connect(port, '127.0.0.1')
    await once(first, 'connect')
    const crowd = Array.from({ length: 50 }, () =>
      connect(port, '127.0.0.1')
        .on('error', () => undefined)
        .resume(),
    )
    const closed = Promise.all(crowd.slice(19).map((socket) => once(socket, 'close')))
    await closed
    t.equal(await connections(), 20)
    first.write(get)
    t.match(String((await once(first, 'data'))[0]), /^HTTP\/1\.1 200 /)
    for (const socket of [first, ...crowd]) socket.destroy()
    await eventually(async () => (await connections()) === 0)
    t.equal((await ask(port, 'GET', '/health/live')).status, 200, 'when some have left, others are let in')
    app.server.maxConnections = maxConnections
  })

  function connections(): Promise<number> {
    return new Promise((resolve, reject) =>
      app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    )
  }
})

t.test('the name localhost stands for one address: none is listened on without the limits', async (t) => {
  const { lookup } = dns
  t.teardown(() => Object.assign(dns, { lookup }))
  // As where localhost is 127.0.0.1 and ::1, for the one who asks for all: Fastify.
  Object.assign(dns, {
    lookup: (name: string, options: { all?: boolean }, done: (error: null, all: object[]) => void) =>
      name === 'localhost' && options.all
        ? done(null, [
            { address: '127.0.0.1', family: 4 },
            { address: '::1', family: 6 },
          ])
        : Reflect.apply(lookup, dns, [name, options, done]),
  })
  const { app, port } = await testServer(t, { HOST: 'localhost' })
  t.equal(app.addresses().length, 1)
  isProblem(t, (await raw(port, 'nonsense\r\n\r\n'))[0], 'validation')
})
