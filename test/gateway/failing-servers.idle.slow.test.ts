import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { request } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { runNginx, startNginx } from '../../gateway/nginx.ts'
import { findFreePort } from '../../src/embedded-mongod/port.ts'
import { eventually } from '../eventually.ts'
import { certificate } from './certificate.ts'

const skip = spawnSync('nginx', ['-v']).error ? 'nginx is not installed' : false

async function startServer(t: Test, listener: RequestListener, port = 0): Promise<{ server: Server; address: string }> {
  const server = createServer(listener)
  await once(server.listen(port, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` } // TCP always
}

/** A program that listens, accepts nothing, and prints its port. */
const deaf = `
const server = require('node:net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
  require('node:fs').writeSync(1, server.address().port + '\\n')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
})`

/** An address as that of a machine that is gone: nothing answers a SYN, because the queue of a deaf program is full. */
async function goneMachine(t: Test): Promise<string> {
  const program: ChildProcess = spawn(process.execPath, ['-e', deaf], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => program.kill('SIGKILL'))
  const [line] = program.stdout ? await once(program.stdout, 'data') : []
  const port = Number(String(line))
  const sockets = Array.from({ length: 4 }, () => connect(port, '127.0.0.1').on('error', () => undefined))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  await eventually(() => sockets.some(({ connecting }) => !connecting))
  t.ok(sockets.some(({ connecting }) => connecting))
  return `127.0.0.1:${port}`
}

/** nginx with https in front of two servers. */
async function startBalancer(t: Test, FIRST_ADDRESS: string, SECOND_ADDRESS: string) {
  const port = await findFreePort()
  const values = { FIRST_ADDRESS, SECOND_ADDRESS, ...(await certificate(t)) }
  const nginx = await runNginx({ host: '127.0.0.1', port, template: 'balancer.conf.template', values })
  t.teardown(() => nginx.close())
  return async (method: string) => {
    const sent = request({ host: '127.0.0.1', port, agent: false, rejectUnauthorized: false, method })
    const [response] = (await once(sent.end(method === 'POST' ? 'body' : ''), 'response')) as [IncomingMessage] // the event's arguments
    return { status: response.statusCode, body: await text(response) }
  }
}

const answer =
  (body: string): RequestListener =>
  (request, response) =>
    void request.resume().on('end', () => response.end(body))

t.test('a machine that is gone costs no request, whatever its method', { skip, timeout: 300_000 }, async (t) => {
  const { address } = await startServer(t, answer('whole'))
  const send = await startBalancer(t, await goneMachine(t), address)
  for (const method of ['GET', 'POST', 'POST', 'GET', 'DELETE', 'DELETE'])
    t.same(await send(method), { status: 200, body: 'whole' }, method)
})

t.test('a server that fails is left out: it gets three requests, then one in 10 s', { skip }, async (t) => {
  let attempts = 0
  const broken = await startServer(t, ({ socket }) => {
    attempts += 1
    socket.destroy()
  })
  const sound = await startServer(t, answer('whole'))
  const send = await startBalancer(t, broken.address, sound.address)
  const start = performance.now()
  for (let n = 0; n < 40; n += 1) t.same(await send('GET'), { status: 200, body: 'whole' })
  const retries = Math.ceil((performance.now() - start) / 10_000)
  t.ok(attempts >= 1)
  t.ok(attempts <= 3 + retries, `${attempts} attempts`)
})

t.test(
  'when both servers fail, both are still tried: the first that is back gets the next request',
  { skip },
  async (t) => {
    const first = await startServer(t, answer('whole'))
    const second = await startServer(t, answer('whole'))
    const send = await startBalancer(t, first.address, second.address)
    for (const { server } of [first, second]) {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
    for (let n = 0; n < 10; n += 1) t.match(await send('GET'), { status: 502 })
    await startServer(t, answer('back'), Number(second.address.split(':')[1]))
    for (const method of ['GET', 'POST', 'GET', 'POST']) t.same(await send(method), { status: 200, body: 'back' })
  },
)

t.test(
  'a POST that a server has read is sent to no other one, however that server fails',
  { skip, timeout: 300_000 },
  async (t) => {
    for (const [failure, fail, status] of [
      ['closes the connection', ({ socket }: IncomingMessage) => void socket.destroy(), 502],
      ['never answers', () => undefined, 504],
    ] as const) {
      const bodies: string[] = []
      const listener: RequestListener = async (request) => {
        bodies.push(await text(request))
        fail(request)
      }
      const [first, second] = [await startServer(t, listener), await startServer(t, listener)]
      const send = await startBalancer(t, first.address, second.address)
      t.match(await send('POST'), { status }, failure)
      t.same(bodies, ['body'], failure)
    }
  },
)

t.test(
  'separate services: the machine of one is gone, and a request to it is answered 502',
  { skip, timeout: 300_000 },
  async (t) => {
    const { address } = await startServer(t, answer('whole'))
    const port = await findFreePort()
    const addresses = { accounts: address, posts: await goneMachine(t) }
    const gateway = await startNginx({ host: '127.0.0.1', port, addresses })
    t.teardown(() => gateway.close())
    t.equal((await fetch(`http://127.0.0.1:${port}/v1/account`)).status, 200)
    // Without a limit of its own, nginx would wait for 60 s.
    const response = await fetch(`http://127.0.0.1:${port}/v1/posts`, { signal: AbortSignal.timeout(40_000) })
    t.match(await response.json(), { status: 502 })
  },
)
