import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { testServer } from '../helper.ts'
import { makeCertificate } from './certificate.ts'
import { tlsProxy } from './tls-proxy.ts'

/**
 * Another server under any name. Each page is blank and sets the cookies in the `set` parameters of its URL.
 * @returns its port
 */
async function blankSite(t: Test): Promise<number> {
  const server = createServer(({ url = '/' }, response) => {
    const lines = new URL(url, 'http://any').searchParams.getAll('set')
    response.setHeader('content-type', 'text/html; charset=utf-8').setHeader('set-cookie', lines)
    response.end('<!doctype html><title>blank</title>')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => new Promise((resolve) => server.close(resolve).closeAllConnections()))
  return (server.address() as AddressInfo).port // TCP always
}

/** A Rookery server over HTTP, and the origins of a same-site and of a cross-site page. Ports do not make a site. */
export async function httpSites(t: Test) {
  const { app, db, url } = await testServer(t)
  const blank = await blankSite(t)
  const origins = { home: url, sameSite: `http://127.0.0.1:${blank}`, crossSite: `http://localhost:${blank}` }
  return { app, db, ...origins, secure: false, args: [] }
}

/** The same over HTTPS. The site is `rookery.test`, so another host name below it is same-site. */
export async function httpsSites(t: Test) {
  const names = ['app.rookery.test', 'evil.rookery.test', 'evil.example']
  const certificate = await makeCertificate(names)
  const proxy = await tlsProxy(t, certificate)
  const [home = '', sameSite = '', crossSite = ''] = names.map((name) => `https://${name}:${proxy.port}`)
  const { app, db, url, port } = await testServer(t, { COOKIE_SECURE: 'true', PUBLIC_ORIGIN: home })
  const blank = await blankSite(t)
  for (const name of names) proxy.ports.set(name, name === 'app.rookery.test' ? port : blank)
  const args = [certificate.trust, '--host-resolver-rules=MAP *.rookery.test 127.0.0.1, MAP evil.example 127.0.0.1']
  // What an attacker in the network can answer in the server's name, as long as the browser uses http.
  const impostor = `http://app.rookery.test:${blank}`
  return { app, db, url, home, sameSite, crossSite, impostor, secure: true, args }
}
