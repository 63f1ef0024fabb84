import { spawnSync } from 'node:child_process'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { startHttpProxy } from '../../gateway/http-proxy.ts'
import { startNginx } from '../../gateway/nginx.ts'
import { findFreePort } from '../../src/embedded-mongod/port.ts'

const gateways = [
  { name: 'nginx', start: startNginx, skip: spawnSync('nginx', ['-v']).error ? 'nginx is not installed' : false },
  { name: 'http-proxy', start: startHttpProxy, skip: false },
]

for (const { name, start, skip } of gateways)
  t.test(`${name}: a client chooses neither the ids of traces nor what is recorded`, { skip }, async (t) => {
    const received: IncomingHttpHeaders[] = []
    const service = createServer(({ headers }, response) => {
      received.push(headers)
      response.end()
    })
    await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
    t.teardown(() => service.close())
    const address = `127.0.0.1:${(service.address() as AddressInfo).port}` // TCP always
    const port = await findFreePort()
    const gateway = await start({ host: '127.0.0.1', port, addresses: { accounts: address, posts: address } })
    t.teardown(() => gateway.close())
    const headers = {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
      tracestate: 'a=b',
      'user-agent': 'passed on',
    }
    for (const path of ['/v1/posts', '/v1/accounts/ann'])
      t.ok((await fetch(`http://127.0.0.1:${port}${path}`, { headers })).ok)
    t.match(received, [{ 'user-agent': 'passed on' }, { 'user-agent': 'passed on' }])
    for (const { traceparent, tracestate } of received) t.same([traceparent, tracestate], [undefined, undefined])
  })
