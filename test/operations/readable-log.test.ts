import type { AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { createLogger } from '../../src/operations/logging.ts'
import { eventually } from '../eventually.ts'
import { freshDatabase, testConfig } from '../helper.ts'
import { ask, cookieOf, raw } from '../http/wire.ts'

t.test('the readable log', async (t) => {
  const { connection } = await freshDatabase(t)
  let text = ''
  const sink = new Writable({
    write(line, _encoding, done) {
      text += line
      done()
    },
  })
  const log = createLogger({ level: 'info', readable: true }, sink)
  const app = await buildApp(await testConfig(connection, { SECURITY_LOG: 'stdout' }), connection, log)
  await app.listen({ host: '127.0.0.1', port: 0, listenTextResolver: () => 'listening' })
  t.teardown(() => app.close())
  const { port } = app.server.address() as AddressInfo // TCP always
  const linesOf = async (work: () => Promise<unknown>) => {
    text = ''
    await work()
    // Lines are written in order: once this request's line is there, so are those before it.
    // These have none.
    for (const path of ['/health/live', '/v1/pulse', '/page/page.js']) await ask(port, 'GET', path)
    await ask(port, 'GET', '/the-last')
    await eventually(() => text.includes('/the-last'))
    return text.trimEnd().split('\n').slice(0, -1)
  }

  t.test('each request has one line: time, method, path, status, ms, account', async (t) => {
    const [created, signUp, read, own, missing, ...more] = await linesOf(async () => {
      const cookie = await cookieOf(port, 'ann')
      await ask(port, 'GET', '/v1/posts?limit=1', { headers: { cookie: 'session=x' } })
      await ask(port, 'GET', '/v1/account', { headers: { cookie } })
      await ask(port, 'GET', '/v1/posts/%zz')
    })
    t.match(
      created,
      /^\[\d\d:\d\d:\d\d\] INFO: user_created 127\.0\.0\.1 [0-9a-f-]{36}$/,
      'a security event has a line of its own',
    )
    t.match(
      signUp,
      /^\[\d\d:\d\d:\d\d\] INFO: POST {3}\/v1\/accounts 201 [\d.]+ ms [0-9a-f-]{36}$/,
      'a sign-up has the new account',
    )
    t.match(read, /^\[\d\d:\d\d:\d\d\] INFO: GET {4}\/v1\/posts 200 [\d.]+ ms$/, 'the query is omitted')
    t.match(own, / GET {4}\/v1\/account 200 [\d.]+ ms [0-9a-f-]{36}$/)
    t.match(missing, / GET {4}\/v1\/posts\/%zz 404 [\d.]+ ms$/, 'also if the router cannot decode the path')
    t.same(more, [], 'probes of health have none')
  })

  t.test('no request can inject terminal control sequences or a forged line', async (t) => {
    const paths = ['/%1b[2J%1b]0;x%07', '/%0a[00:00:00]%20INFO:%20fake', '/%C2%9B31m', '/%E2%80%AE', '/a\\b"c', '/%00']
    const lines = await linesOf(async () => {
      for (const path of paths) await ask(port, 'GET', path)
      await raw(port, 'GET /\x1b[31m HTTP/1.1\r\nHost: x\r\n\r\n')
      await raw(port, 'GET /\x9b31m\xe2\x80\xae HTTP/1.1\r\nHost: x\r\n\r\n')
      await ask(port, 'GET', `/${'long'.repeat(900)}`, { headers: { 'user-agent': 'a\tb' } })
    })
    t.equal(lines.length, paths.length + 3, 'one line per request')
    for (const line of lines) {
      t.match(line, /^[\x20-\x7e]+$/, 'printable ASCII only')
      t.ok(line.length < 300, 'a line has fewer than 300 characters')
    }
    t.notOk(lines.some((line) => line.startsWith('[00:00:00] INFO: fake')))
  })
})
