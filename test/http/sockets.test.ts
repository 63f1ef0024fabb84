import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { testServer } from '../helper.ts'
import { ask, field, isProblem, raw, rawText } from './wire.ts'

const host = 'Host: localhost\r\n'
const get = `GET /v1/posts HTTP/1.1\r\n${host}\r\n`
const post = `POST /v1/session HTTP/1.1\r\n${host}Content-Type: application/json\r\n`
const padding = 'x'.repeat(9_000)

t.test('bytes on the socket', { timeout: 120_000 }, async (t) => {
  const { port } = await testServer(t)

  t.test('what is no HTTP/1.1 request is refused in the form of every error, and the connection ends', async (t) => {
    const shapes: Record<string, string> = {
      'a TLS hello': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
      'an HTTP/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      nonsense: 'hello there\r\n\r\n',
      'a target that is no path': `GET foo HTTP/1.1\r\n${host}\r\n`,
      'an unknown method': `FETCH / HTTP/1.1\r\n${host}\r\n`,
      'a version to come': `GET / HTTP/1.2\r\n${host}\r\n`,
      'bare line feeds': 'GET / HTTP/1.1\nHost: localhost\n\n',
      'an escape sequence in the URL': `GET /\x1b[31m HTTP/1.1\r\n${host}\r\n`,
      'raw bytes above ASCII in the URL': `GET /\x9b31m\xff HTTP/1.1\r\n${host}\r\n`,
      'NUL in a header': `GET / HTTP/1.1\r\n${host}A: b\0c\r\n\r\n`,
      'a folded header': `GET / HTTP/1.1\r\n${host}A: b\r\n c\r\n\r\n`,
      'a header without a name': `GET / HTTP/1.1\r\n${host}: b\r\n\r\n`,
      'a space before the colon': `GET / HTTP/1.1\r\n${host}A : b\r\n\r\n`,
    }
    for (const [name, bytes] of Object.entries(shapes)) {
      const answers = await raw(port, bytes)
      t.equal(answers.length, 1, `${name}: one answer, then the end`)
      isProblem(t, answers[0], 'validation', name)
      t.equal(answers[0]?.headers.connection, 'close')
    }
  })

  t.test('a body whose length can be read in two ways is refused, and what follows is no request', async (t) => {
    const shapes: Record<string, string> = {
      'two Content-Lengths': `${post}Content-Length: 2\r\nContent-Length: 50\r\n\r\n{}`,
      'the same Content-Length twice': `${post}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`,
      'a list of lengths': `${post}Content-Length: 2, 2\r\n\r\n{}`,
      'a signed length': `${post}Content-Length: +2\r\n\r\n{}`,
      'a hexadecimal length': `${post}Content-Length: 0x2\r\n\r\n{}`,
      'Content-Length and chunked': `${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      'chunked and Content-Length': `${post}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
      'an unknown coding': `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
      'chunked, but not last': `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
      'two codings in two headers': `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`,
      'a space before the colon': `${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`,
      'a vertical tab before the coding': `${post}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`,
      'a size that is no number': `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
      'a chunk longer than it says': `${post}Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n`,
      'a size ended by a bare line feed': `${post}Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n`,
    }
    for (const [name, bytes] of Object.entries(shapes)) {
      const answers = await raw(port, `${bytes}${get}`)
      t.equal(answers.length, 1, `${name}: the smuggled request is not answered`)
      isProblem(t, answers[0], 'validation', name)
    }
  })

  t.test('one Host, neither none nor two', async (t) => {
    const [none] = await raw(port, 'GET /v1/posts HTTP/1.1\r\nConnection: close\r\n\r\n')
    isProblem(t, none, 'validation', 'none')
    const [two] = await raw(port, `GET /v1/posts HTTP/1.1\r\n${host}hOST: other\r\nConnection: close\r\n\r\n`)
    isProblem(t, two, 'validation', 'two')
    t.equal((await raw(port, 'GET /v1/posts HTTP/1.0\r\n\r\n'))[0]?.status, 200, 'HTTP/1.0 knew none')
  })

  t.test('an overlong URL and overlong headers are told apart, in however many packets they come', async (t) => {
    const long = padding.repeat(3)
    const urls = [[`GET /${long} HTTP/1.1\r\n${host}\r\n`], [`GET /${padding}`, `${padding} HTTP/1.1\r\n${host}\r\n`]]
    for (const parts of [...urls, [`M-SEARCH /${long} HTTP/1.1\r\n\r\n`]]) {
      isProblem(t, (await raw(port, parts))[0], 'uri-too-long', `${parts[0]?.slice(0, 4)} in ${parts.length}`)
    }
    const one = [`GET / HTTP/1.1\r\n${host}A: ${long}\r\n\r\n`]
    const split = [`GET / HTTP/1.1\r\n${host}A: ${padding}`, `${padding}\r\n\r\n`]
    const many = [`GET / HTTP/1.1\r\n${host}${'A: b\r\n'.repeat(4_000)}\r\n`]
    for (const parts of [one, split, many, [`GET / HTTP/1.1\r\n${host}A: ${padding}`, padding]]) {
      isProblem(t, (await raw(port, parts))[0], 'headers-too-large', `headers in ${parts.length}`)
    }
    t.equal((await ask(port, 'GET', `/${'x'.repeat(4_095)}`)).status, 404, '4,096 characters are a URL')
    t.equal((await ask(port, 'GET', `/${'x'.repeat(4_096)}`)).status, 414, 'one more is none')
  })

  t.test('pipelined requests are answered in order; after a refusal nothing more is', async (t) => {
    const three = await raw(port, `${get}GET /health/live HTTP/1.1\r\n${host}\r\n${get}`, 3)
    t.same(
      three.map(({ status, body }) => [status, field(body, 'status')]),
      [
        [200, undefined],
        [200, 'ok'],
        [200, undefined],
      ],
    )
    const text = await rawText(port, `nonsense\r\n\r\n${get}${get}`)
    t.equal(text.match(/HTTP\/1\.1 /g)?.length, 1, 'one status line')
    const large = `${post}Content-Length: 20000\r\n\r\n${get.repeat(400)}`
    const answers = await raw(port, large)
    t.equal(answers.length, 1, 'an oversized body is not taken for requests')
    isProblem(t, answers[0], 'payload-too-large')
  })

  t.test('clients that vanish at any point do not disturb the server', async (t) => {
    const body = '{"username":"nobody","password":"three blind mice"}'
    const whole = `${post}Content-Length: ${body.length}\r\n\r\n${body}`
    for (let length = 1; length <= whole.length; length += 9) {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => undefined)
      await once(socket, 'connect')
      socket.write(whole.slice(0, length), () => socket.resetAndDestroy())
      await once(socket, 'close')
    }
    t.equal((await ask(port, 'GET', '/health/ready')).status, 200)
  })

  t.test('other expectations than 100-continue are passed over', async (t) => {
    const wish = { headers: { expect: '200-ok' }, json: { username: 'nobody', password: 'x' } }
    isProblem(t, await ask(port, 'POST', '/v1/session', wish), 'invalid-credentials')
    const text = await rawText(port, [`${post}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n`, '{'], 1)
    t.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 400 /)
  })
})
