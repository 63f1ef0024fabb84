import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { testServer } from '../helper.ts'
import { ask, expectProblem, field, raw, rawText } from './wire.ts'

const host = 'Host: localhost\r\n'
const get = `GET /v1/posts HTTP/1.1\r\n${host}\r\n`
const post = `POST /v1/session HTTP/1.1\r\n${host}Content-Type: application/json\r\n`
const padding = 'x'.repeat(9_000)

t.test('bytes on the socket', { timeout: 120_000 }, async (t) => {
  const { port } = await testServer(t)

  t.test('bytes that are not an HTTP/1.1 request get a problem, and the connection closes', async (t) => {
    const shapes: Record<string, string> = {
      'a TLS hello': '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
      'an HTTP/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      nonsense: 'hello there\r\n\r\n',
      'a target that is not a path': `GET foo HTTP/1.1\r\n${host}\r\n`,
      'an unknown method': `FETCH / HTTP/1.1\r\n${host}\r\n`,
      'HTTP/1.2': `GET / HTTP/1.2\r\n${host}\r\n`,
      'bare LFs': 'GET / HTTP/1.1\nHost: localhost\n\n',
      'an escape sequence in the URL': `GET /\x1b[31m HTTP/1.1\r\n${host}\r\n`,
      'raw bytes above ASCII in the URL': `GET /\x9b31m\xff HTTP/1.1\r\n${host}\r\n`,
      'NUL in a header': `GET / HTTP/1.1\r\n${host}A: b\0c\r\n\r\n`,
      'a folded header': `GET / HTTP/1.1\r\n${host}A: b\r\n c\r\n\r\n`,
      'a header without a name': `GET / HTTP/1.1\r\n${host}: b\r\n\r\n`,
      'a space before the colon': `GET / HTTP/1.1\r\n${host}A : b\r\n\r\n`,
    }
    for (const [name, bytes] of Object.entries(shapes)) {
      const answers = await raw(port, bytes)
      t.equal(answers.length, 1, `${name}: one response, then the connection closes`)
      expectProblem(t, answers[0], 'validation', name)
      t.equal(answers[0]?.headers.connection, 'close')
    }
  })

  t.test('a body with an ambiguous length is refused, and the bytes after it are not handled', async (t) => {
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
      'a chunk size that is not a number': `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`,
      'a chunk longer than its size': `${post}Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n`,
      'a chunk size that ends with a bare LF': `${post}Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n`,
    }
    for (const [name, bytes] of Object.entries(shapes)) {
      const answers = await raw(port, `${bytes}${get}`)
      t.equal(answers.length, 1, `${name}: the smuggled request is not answered`)
      expectProblem(t, answers[0], 'validation', name)
    }
  })

  t.test('HTTP/1.1 requires exactly one Host', async (t) => {
    const [none] = await raw(port, 'GET /v1/posts HTTP/1.1\r\nConnection: close\r\n\r\n')
    expectProblem(t, none, 'validation', 'none')
    const [two] = await raw(port, `GET /v1/posts HTTP/1.1\r\n${host}hOST: other\r\nConnection: close\r\n\r\n`)
    expectProblem(t, two, 'validation', 'two')
    t.equal((await raw(port, 'GET /v1/posts HTTP/1.0\r\n\r\n'))[0]?.status, 200, 'HTTP/1.0 does not require Host')
  })

  t.test('overlong URLs get 414 and overlong headers 431, in any number of packets', async (t) => {
    const long = padding.repeat(3)
    const urls = [[`GET /${long} HTTP/1.1\r\n${host}\r\n`], [`GET /${padding}`, `${padding} HTTP/1.1\r\n${host}\r\n`]]
    for (const parts of [...urls, [`M-SEARCH /${long} HTTP/1.1\r\n\r\n`]]) {
      expectProblem(t, (await raw(port, parts))[0], 'uri-too-long', `${parts[0]?.slice(0, 4)} in ${parts.length}`)
    }
    const one = [`GET / HTTP/1.1\r\n${host}A: ${long}\r\n\r\n`]
    const split = [`GET / HTTP/1.1\r\n${host}A: ${padding}`, `${padding}\r\n\r\n`]
    const many = [`GET / HTTP/1.1\r\n${host}${'A: b\r\n'.repeat(4_000)}\r\n`]
    for (const parts of [one, split, many, [`GET / HTTP/1.1\r\n${host}A: ${padding}`, padding]]) {
      expectProblem(t, (await raw(port, parts))[0], 'headers-too-large', `headers in ${parts.length}`)
    }
    t.equal((await ask(port, 'GET', `/${'x'.repeat(4_095)}`)).status, 404, 'a URL of 4,096 characters is accepted')
    t.equal((await ask(port, 'GET', `/${'x'.repeat(4_096)}`)).status, 414, '4,097 characters are refused')
  })

  t.test('pipelined requests are answered in order, and none after a refusal', async (t) => {
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
    t.equal(answers.length, 1, 'an oversized body is not handled as requests')
    expectProblem(t, answers[0], 'payload-too-large')
  })

  t.test('the server survives a client that resets the connection at any point', async (t) => {
    const body = '{"username":"alice","password":"three blind mice"}'
    const request = `${post}Content-Length: ${body.length}\r\n\r\n${body}`
    for (let length = 1; length <= request.length; length += 9) {
      const socket = connect(port, '127.0.0.1')
      socket.on('error', () => undefined)
      await once(socket, 'connect')
      socket.write(request.slice(0, length), () => socket.resetAndDestroy())
      await once(socket, 'close')
    }
    t.equal((await ask(port, 'GET', '/health/ready')).status, 200)
  })

  t.test('expectations other than 100-continue are ignored', async (t) => {
    const options = { headers: { expect: '200-ok' }, json: { username: 'alice', password: 'x' } }
    expectProblem(t, await ask(port, 'POST', '/v1/session', options), 'invalid-credentials')
    const text = await rawText(port, [`${post}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n`, '{'], 1)
    t.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 400 /)
  })
})
