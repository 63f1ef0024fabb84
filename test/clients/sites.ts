import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { testServer } from '../helper.ts'
import { makeCertificate } from './certificate.ts'
import { tlsFront } from './tls-front.ts'

/**
 * Whatever is not ours, under any name: each page is blank, and sets the cookies that its address asks for, one a `set`.
 * @returns its port.
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

/** A server over http, with a neighbour of the same site (its port is no matter for that) and one of another. */
export async function overHttp(t: Test) {
  const { app, db, url } = await testServer(t)
  const blank = await blankSite(t)
  const origins = { home: url, sibling: `http://127.0.0.1:${blank}`, stranger: `http://localhost:${blank}` }
  return { app, db, ...origins, secure: false, args: [] }
}

/** The same over https. A name of its own does not set the sibling apart: the site is `rookery.test`. */
export async function overHttps(t: Test) {
  const names = ['app.rookery.test', 'evil.rookery.test', 'evil.example']
  const certificate = await makeCertificate(names)
  const front = await tlsFront(t, certificate)
  const [home = '', sibling = '', stranger = ''] = names.map((name) => `https://${name}:${front.port}`)
  const { app, db, url, port } = await testServer(t, { COOKIE_SECURE: 'true', PUBLIC_ORIGIN: home })
  const blank = await blankSite(t)
  for (const name of names) front.ports.set(name, name === 'app.rookery.test' ? port : blank)
  const args = [certificate.trust, '--host-resolver-rules=MAP *.rookery.test 127.0.0.1, MAP evil.example 127.0.0.1']
  // What someone between the browser and us can say in our name, as long as the browser asks over http.
  const impostor = `http://app.rookery.test:${blank}`
  return { app, db, url, home, sibling, stranger, impostor, secure: true, args }
}
