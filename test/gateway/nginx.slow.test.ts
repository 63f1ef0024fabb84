import { spawnSync } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { startNginx } from '../../gateway/nginx.ts'
import { findFreePort } from '../../src/embedded-mongod/port.ts'

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
