import t from 'tap'
import { testServer } from '../helper.ts'
import { ask, cookieOf, expectProblem, field, raw } from './wire.ts'

const host = 'Host: localhost\r\n'
const live = `GET /health/live HTTP/1.1\r\n${host}\r\n`
const body = '{"text":"smuggled"}'
const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`

t.test('request framing', { timeout: 120_000 }, async (t) => {
  const { port, lines } = await testServer(t)
  const cookie = await cookieOf(port, 'ann')
  const post = (version: string, path = '/v1/posts') =>
    `POST ${path} HTTP/${version}\r\n${host}Cookie: ${cookie}\r\nContent-Type: application/json\r\n`

  t.test('an ambiguously framed request gets 400 and closes the connection', async (t) => {
    const shapes: Record<string, string> = {
      'HTTP/0.9': 'GET /health/live\r\n\r\n',
      'HTTP/0.9 by name': `GET /health/live HTTP/0.9\r\n${host}\r\n`,
      'HTTP/2 as text': `GET /health/live HTTP/2.0\r\n${host}\r\n`,
      'HTTP/2 as text, with a body': `${post('2.0')}Content-Length: ${body.length}\r\n\r\n${body}`,
      'chunked in HTTP/1.0': `${post('1.0')}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
      'two codings': `${post('1.1')}Transfer-Encoding: gzip, chunked\r\n\r\n${chunks}`,
      'an empty coding': `${post('1.1')}Transfer-Encoding: ,chunked\r\n\r\n${chunks}`,
      'two codings with a URL that the router cannot decode': `${post('1.1', '/%zz')}Transfer-Encoding: gzip, chunked\r\n\r\n${chunks}`,
      'two Hosts': `GET /health/live HTTP/1.1\r\n${host}${host}\r\n`,
      'no Host': 'GET /health/live HTTP/1.1\r\n\r\n',
      'a Host after many headers': `GET /health/live HTTP/1.1\r\n${host}${'a:\r\n'.repeat(500)}${host}\r\n`,
      'a Host with a path': 'GET /health/live HTTP/1.1\r\nHost: localhost/x\r\n\r\n',
      'a Host with a user': 'GET /health/live HTTP/1.1\r\nHost: a@localhost\r\n\r\n',
      'a Host with two names': 'GET /health/live HTTP/1.1\r\nHost: localhost, evil.example\r\n\r\n',
      'an overlong chunk extension': `${post('1.1')}Transfer-Encoding: chunked\r\n\r\n2;${'a'.repeat(20_000)}\r\n`,
      'a bare CR in a chunk extension': `${post('1.1')}Transfer-Encoding: chunked\r\n\r\n2;a\rb\r\n{}\r\n0\r\n\r\n`,
      'Content-Length in a trailer': `${post('1.1')}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n`,
      'a bare CR in a header': `GET /health/live HTTP/1.1\r\n${host}A: b\rC: d\r\n\r\n`,
      'NUL in a header’s name': `GET /health/live HTTP/1.1\r\n${host}A\0: b\r\n\r\n`,
    }
    for (const [name, bytes] of Object.entries(shapes)) {
      const answers = await raw(port, `${bytes}${live}`)
      t.equal(answers.length, 1, `${name}: the bytes that follow are not handled`)
      expectProblem(t, answers[0], 'validation', name)
      t.equal(answers[0]?.headers.connection, 'close', name)
    }
    t.same(field((await ask(port, 'GET', '/v1/posts')).body, 'items'), [], 'no post is created')
  })

  t.test('as many headers as Node keeps are too many, so that none is dropped', async (t) => {
    // Three more stand beside them.
    const others = 'a:\r\n'.repeat(597)
    const bytes = `POST /v1/session HTTP/1.1\r\n${host}Content-Type: application/json\r\n${others}Transfer-Encoding: chunked\r\n\r\n${chunks}`
    const answers = await raw(port, `${bytes}${live}`)
    t.equal(answers.length, 1)
    expectProblem(t, answers[0], 'headers-too-large')
    t.equal(answers[0]?.headers.connection, 'close')
  })

  t.test('an unambiguously framed request is accepted', async (t) => {
    const hosts = ['localhost', 'localhost:5000', '127.0.0.1:5000', '[::1]:5000', 'a-b_c.example', '']
    for (const name of hosts) {
      const [answer] = await raw(port, `GET /health/live HTTP/1.1\r\nHost: ${name}\r\n\r\n`, 1)
      t.equal(answer?.status, 200, `Host: ${name}`)
    }
    const forms = [`GET http://localhost/health/live HTTP/1.1\r\n${host}\r\n`, `\r\n\r\n${live}`]
    forms.push(`GET /health/live HTTP/1.1\r\n${host}Content-Length: ${live.length}\r\n\r\n${live}`)
    forms.push(
      `GET /health/live HTTP/1.1\r\n${host}Transfer-Encoding: CHUNKED\r\n\r\n2;a=b\r\n{}\r\n0\r\nCookie: c\r\n\r\n`,
    )
    for (const form of forms) {
      const answers = await raw(port, `${form}${live}`, 2)
      t.same(
        answers.map(({ status }) => status),
        [200, 200],
        form.slice(0, 60),
      )
    }
    const trailed = `POST /v1/posts HTTP/1.1\r\n${host}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`
    const [answer] = await raw(port, `${trailed}${chunks.slice(0, -2)}Cookie: ${cookie}\r\n\r\n`, 1)
    expectProblem(t, answer, 'unauthenticated', 'a Cookie trailer does not count as a header')
  })

  t.test('too many headers and overlong trailers get headers-too-large', async (t) => {
    const headers = (count: number) => `GET /health/live HTTP/1.1\r\n${host}${'a:\r\n'.repeat(count - 1)}\r\n`
    const few = await raw(port, `${headers(599)}${live}`, 2)
    t.same(
      few.map(({ status }) => status),
      [200, 200],
      'fewer than 600',
    )
    const trailer = `${post('1.1')}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nA: ${'b'.repeat(20_000)}\r\n\r\n`
    for (const bytes of [headers(600), headers(1_500), trailer]) {
      const answers = await raw(port, `${bytes}${live}`)
      t.equal(answers.length, 1)
      expectProblem(t, answers[0], 'headers-too-large')
    }
  })

  t.test('RTSP requests get 404 or 405 without a warning in the log', async (t) => {
    for (const method of ['DESCRIBE', 'SETUP', 'PLAY', 'TEARDOWN']) {
      const [url] = await raw(port, `${method} rtsp://localhost/stream RTSP/1.0\r\nCSeq: 1\r\n\r\n`)
      expectProblem(t, url, 'not-found', method)
      const [path] = await raw(port, `${method} /v1/posts RTSP/1.0\r\nCSeq: 1\r\n\r\n`)
      expectProblem(t, path, 'method-not-allowed', method)
    }
    t.notOk(
      lines.some((line) => /"level":[456]0/.test(line)),
      'nothing at warn or above is logged',
    )
  })

  t.test('Upgrade is ignored, and CONNECT gets 405 on a connection that closes', async (t) => {
    for (const protocol of ['websocket', 'h2c', 'TLS/1.0']) {
      const upgrade = `GET /health/live HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`
      const answers = await raw(port, [upgrade, live], 2)
      t.same(
        answers.map(({ status }) => status),
        [200, 200],
        `${protocol}: the connection stays HTTP/1.1`,
      )
    }
    for (const target of ['example.org:443', '/v1/posts']) {
      const connect = `CONNECT ${target} HTTP/1.1\r\nHost: example.org:443\r\n\r\n`
      const answers = await raw(port, `${connect}${live}`)
      t.equal(answers.length, 1, target)
      expectProblem(t, answers[0], 'method-not-allowed', target)
      t.match(answers[0]?.headers, { allow: '', connection: 'close' })
      t.match(await raw(port, [live, connect], 2), [{ status: 200 }, { status: 405 }], 'after another request')
    }
  })
})
