import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { connect as secureConnect } from 'node:tls'
import t, { type Test } from 'tap'
import { runNginx, startNginx } from '../../gateway/nginx.ts'
import { findFreePort } from '../../src/embedded-mongod/port.ts'
import { eventually } from '../eventually.ts'
import { certificate } from './certificate.ts'

const skip = spawnSync('nginx', ['-v']).error ? 'nginx is not installed' : false

/** nginx in front of one server, which stands for both services and answers with the length of the body. */
async function startGateway(t: Test) {
  const lengths: number[] = []
  const service = createServer(async (request, response) => {
    lengths.push((await text(request)).length)
    response.end(String(lengths.at(-1)))
  })
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  t.teardown(() => service.close())
  const address = `127.0.0.1:${(service.address() as AddressInfo).port}` // TCP always
  const port = await findFreePort()
  const gateway = await startNginx({ host: '127.0.0.1', port, addresses: { accounts: address, posts: address } })
  t.teardown(() => gateway.close())
  return { url: `http://127.0.0.1:${port}`, lengths }
}

t.test('nginx refuses a body that no service accepts, before it can fill the disk', { skip }, async (t) => {
  const { url, lengths } = await startGateway(t)
  const post = (path: string, body: RequestInit['body']) =>
    fetch(url + path, { method: 'POST', body: body ?? null, duplex: 'half' })
  t.equal(await (await post('/v1/posts', 'a'.repeat(20_000))).text(), '20000', 'a service refuses this one itself')
  const ofUnknownLength = new Blob(['a'.repeat(200_000)]).stream()
  for (const [path, body] of [
    ['/v1/posts', 'a'.repeat(200_000)],
    ['/v1/accounts', ofUnknownLength],
  ] as const) {
    const response = await post(path, body)
    t.equal(response.status, 413)
    t.equal(response.headers.get('content-type'), 'application/problem+json')
    t.match(await response.json(), { code: 'payload-too-large', status: 413 })
  }
  t.same(lengths, [20_000])
})

t.test('nginx refuses a client that has too many requests in progress, and no other', { skip }, async (t) => {
  const service = createServer((_, response) => response.end('whole'))
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  t.teardown(() => service.close())
  const address = `127.0.0.1:${(service.address() as AddressInfo).port}` // TCP always
  const templates = {
    'services.conf.template': { ACCOUNTS_ADDRESS: address, POSTS_ADDRESS: address },
    'balancer.conf.template': { FIRST_ADDRESS: address, SECOND_ADDRESS: address, ...(await certificate(t)) },
  }
  // With ::, the clients' addresses are IPv4-mapped ones.
  for (const [template, values] of Object.entries(templates))
    for (const host of ['127.0.0.1', '::'])
      await t.test(`${template} on ${host}`, async (t) => {
        const port = await findFreePort()
        const isSecure = template.startsWith('balancer')
        const given = { ...values, CONNECTIONS_PER_ADDRESS: '3' }
        const gateway = await runNginx({ host, port, template, values: given })
        t.teardown(() => gateway.close())
        const target = { host: '127.0.0.1', port, agent: false, rejectUnauthorized: false } as const

        const read = async (localAddress: string) => {
          const sent = (isSecure ? secureRequest : request)({ ...target, localAddress }).end()
          const [response] = (await once(sent, 'response')) as [IncomingMessage] // the event's arguments
          return { status: response.statusCode, headers: response.headers, body: await text(response) }
        }
        // Bodies that never arrive: the service hears nothing of them.
        const openSlow = () => {
          const slow = { ...target, localAddress: '127.0.9.1' }
          const socket = isSecure ? secureConnect(slow) : connect(slow)
          t.teardown(() => socket.destroy())
          socket.on('error', () => undefined)
          socket.write('POST /v1/posts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n')
        }
        // Again and again: nginx closes those that are slow for long.
        const isRefused = async () => {
          for (let n = 0; n < 3; n += 1) openSlow()
          return (await read('127.0.9.1')).status === 429
        }
        await eventually(isRefused, { everyMs: 250 })
        const { headers, body } = await read('127.0.9.1')
        t.match(headers, {
          'content-type': 'application/problem+json',
          'retry-after': '1',
          'ratelimit-policy': '"requests-by-address";q=3;w=1',
          ratelimit: '"requests-by-address";r=0;t=1',
        })
        t.match(JSON.parse(body), { code: 'rate-limited', status: 429 })
        t.match(await read('127.0.9.2'), { status: 200, body: 'whole' })
      })
})
