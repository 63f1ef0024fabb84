import dns from 'node:dns'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { testServer } from '../helper.ts'
import { ask, expectProblem, raw } from './wire.ts'

const get = 'GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n'

t.test('persistent connections', { timeout: 120_000 }, async (t) => {
  const { app, port } = await testServer(t)
  const { keepAliveTimeout, maxConnections } = app.server

  t.test('an idle connection stays open for more than the 60 seconds of common proxies, then closes', async (t) => {
    t.ok(keepAliveTimeout > 60_000 && keepAliveTimeout < 120_000)
    t.match(await ask(port, 'GET', '/health/live', { headers: { connection: 'keep-alive' } }), {
      headers: { connection: 'keep-alive', 'keep-alive': `timeout=${keepAliveTimeout / 1000}` },
    })
    app.server.keepAliveTimeout = 500
    const startedAtMs = performance.now()
    const answers = await raw(port, get)
    t.equal(answers.length, 1)
    t.ok(performance.now() - startedAtMs > 500, 'the connection closes after the timeout')
    app.server.keepAliveTimeout = keepAliveTimeout
  })

  t.test('1,200 requests on one connection are answered', async (t) => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1')
    for (let round = 1; round <= 20; round += 1) {
      socket.write(get.repeat(60))
      let text = ''
      while ((text.match(/HTTP\/1\.1 200 /g)?.length ?? 0) < 60) text += (await once(socket, 'data'))[0]
      t.notMatch(text, /connection: close/i, `round ${round}`)
    }
    socket.destroy()
  })

  t.test('the server closes a connection after a rejected request even if the client does not', async (t) => {
    const accepted = once(app.server, 'connection')
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).resume()
    const [served] = await accepted
    let isReset = false
    const { resetAndDestroy } = served
    served.resetAndDestroy = () => {
      isReset = true
      return resetAndDestroy.call(served)
    }
    const closed = once(served, 'close')
    const startedAtMs = performance.now()
    socket.write('nonsense\r\n\r\n')
    await closed
    t.ok(performance.now() - startedAtMs < 30_000, 'within 30 seconds')
    t.ok(isReset, 'what it has not read is forgotten')
    socket.destroy()
  })

  t.test('connections over the maximum are dropped, and existing ones continue', async (t) => {
    t.ok(maxConnections > 1_000 && maxConnections <= 20_000, `${maxConnections} at most`)
    t.match(
      app.server,
      { dropMaxConnection: true },
      'node:cluster drops a connection instead of passing it round forever',
    )
    await eventually(async () => (await connections()) === 0)
    app.server.maxConnections = 20
    // None can be spared: those that are idle, or whose request is incomplete, would be closed first.
    const stream = 'GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n'
    const first = connect(port, '127.0.0.1')
    first.write(stream)
    await once(
      first.on('data', () => undefined),
      'data',
    )
    const crowd: Socket[] = []
    for (let n = 0; n < 50; n += 1) {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined)
      crowd.push(socket.on('data', () => undefined))
      socket.write(stream)
      await Promise.race([once(socket, 'data'), once(socket, 'close')])
    }
    t.equal(await connections(), 20)
    t.equal(crowd.filter(({ closed }) => closed).length, 31)
    t.notOk(first.closed)
    for (const socket of [first, ...crowd]) socket.destroy()
    await eventually(async () => (await connections()) === 0)
    t.equal(
      (await ask(port, 'GET', '/health/live')).status,
      200,
      'new connections are accepted once others have closed',
    )
    app.server.maxConnections = maxConnections
  })

  function connections(): Promise<number> {
    return new Promise((resolve, reject) =>
      app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
    )
  }
})

t.test('HOST=localhost listens on one address only, with all limits', async (t) => {
  const { lookup } = dns
  t.teardown(() => Object.assign(dns, { lookup }))
  // Simulates a system where localhost is both 127.0.0.1 and ::1: Fastify would listen on a second server for ::1.
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
  expectProblem(t, (await raw(port, 'nonsense\r\n\r\n'))[0], 'validation')
})
