import t, { type Test } from 'tap'
import { endOf } from '../../bench/load/connection.ts'
import { exchange, parseResponse } from '../../bench/load/exchange.ts'
import { rawServer } from './raw-server.ts'

const head = 'HTTP/1.1 200 OK\r\n'

/** A server that answers each request with these parts, one after another. */
async function answering(t: Test, ...parts: string[]): Promise<number> {
  return rawServer(t, async (socket) => {
    for (const part of parts) await new Promise<void>((resolve) => socket.write(part, 'latin1', () => resolve()))
  })
}

t.test('the end of a response is known by its length, however the header is spelled', async (t) => {
  for (const name of ['content-length', 'Content-Length']) {
    const response = `${head}${name}: 2\r\n\r\n{}`
    t.equal(endOf(response), response.length)
    t.equal(endOf(response.slice(0, -1)), -1)
    t.equal(endOf(response.slice(0, 20)), -1)
  }
})

t.test('the end of a response in chunks is its last chunk', async (t) => {
  const response = `${head}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`
  t.equal(endOf(response), response.length)
  t.equal(endOf(response.slice(0, -5)), -1)
})

t.test('a response of unknown length is an error', async (t) => {
  t.throws(() => endOf(`${head}connection: close\r\n\r\n{}`), /unknown length/)
})

t.test('a response that comes in pieces is parsed, cookies and UTF-8 included', async (t) => {
  const body = Buffer.from('{"id":"é"}').toString('latin1')
  const chunks = `4\r\n${body.slice(0, 4)}\r\n${(body.length - 4).toString(16)}\r\n${body.slice(4)}\r\n0\r\n\r\n`
  const text = `${head}Set-Cookie: a=1; Path=/\r\nset-cookie: b=2\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`
  const { headers, body: parsed } = parseResponse(text)
  t.same(parsed, { id: 'é' })
  t.same(headers.getSetCookie(), ['a=1; Path=/', 'b=2'])
  const port = await answering(t, text.slice(0, 30), text.slice(30, 90), text.slice(90))
  const answer = await exchange(port, 'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n')
  t.equal(answer.headers.getSetCookie().length, 2)
})

t.test('a refusal is an error that names the request and the answer', async (t) => {
  const port = await answering(t, 'HTTP/1.1 401 Unauthorized\r\ncontent-length: 2\r\n\r\n{}')
  await t.rejects(exchange(port, 'GET /me HTTP/1.1\r\n\r\n'), /GET \/me HTTP\/1.1 was answered HTTP\/1.1 401/)
})
