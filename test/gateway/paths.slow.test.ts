import { readFile } from 'node:fs/promises'
import t from 'tap'
import { startHttpProxy } from '../../gateway/http-proxy.ts'
import { startNginx } from '../../gateway/nginx.ts'
import { postsPaths, serviceOf } from '../../gateway/paths.ts'
import { findFreePort } from '../../src/embedded-mongod/port.ts'
import { echoService } from './echo-service.ts'

t.test('nginx’s template has the same expression for the paths of posts', async (t) => {
  const template = await readFile(new URL('../../gateway/services.conf.template', import.meta.url), 'utf8')
  t.match(template, `location ~ ${postsPaths.source.replaceAll('\\/', '/')} {`)
})

t.test('both gateways send each path to the same service, as it is, with the client’s address', async (t) => {
  const addresses = { accounts: await echoService(t, 'accounts'), posts: await echoService(t, 'posts') }
  const host = '127.0.0.1'
  const [nginxPort, proxyPort] = [await findFreePort(), await findFreePort()]
  const gateways = [
    await startNginx({ host, port: nginxPort, addresses }),
    await startHttpProxy({ host, port: proxyPort, addresses }),
  ]
  t.teardown(() => Promise.all(gateways.map(({ close }) => close())))
  for (const path of [
    ...['/', '/v1/account', '/v1/accounts/ann', '/v1/session', '/docs', '/v1/postscript', '/v1/accounts/posts'],
    ...[
      '/v1/posts',
      '/v1/posts?limit=1',
      '/v1/posts/1/reaction',
      '/v1/%70osts',
      '/v1/timeline',
      '/v1/stream?scope=timeline',
      '/v1/pulse',
      '/v1/streams',
      '/v1/account/reactions',
    ],
    ...['/v1/accounts/ann/posts', '/v1/accounts/ann/follow', '/v1/accounts/ann/followers', '/v1/analytics/reactions'],
    ...['/v1//posts', '/v1/accounts//posts', '/v1/accounts/a%2Fb/posts', '/V1/posts'],
  ])
    for (const port of [nginxPort, proxyPort]) {
      const headers = { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=198.51.100.7' }
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers })
      t.match(await response.json(), {
        service: serviceOf(path),
        url: path,
        forwardedFor: '203.0.113.9, 127.0.0.1',
        forwarded: null,
      })
    }
})

t.test('a service that gives no answer is a 502, and its request is not sent again', async (t) => {
  const accounts = await echoService(t, 'accounts')
  const port = await findFreePort()
  const addresses = { accounts, posts: `127.0.0.1:${await findFreePort()}` }
  const gateway = await startNginx({ host: '127.0.0.1', port, addresses })
  t.teardown(() => gateway.close())
  const response = await fetch(`http://127.0.0.1:${port}/v1/posts`, { method: 'POST', body: '{}' })
  t.equal(response.status, 502)
  t.equal(response.headers.get('content-type'), 'application/problem+json')
  t.match(await response.json(), { type: 'about:blank', title: 'Bad gateway', status: 502 })
})
