import t from 'tap'
import type { ParsedSocket } from '../../src/http/socket-errors.ts'
import { testServer } from '../helper.ts'
import { ask, cookieOf, expectProblem, raw } from './wire.ts'

const host = 'Host: localhost\r\n'
const json = 'Content-Type: application/json\r\n'
const live = `GET /health/live HTTP/1.1\r\n${host}\r\n`

const chunked = (path: string, chunks: readonly string[], headers = '') =>
  `POST ${path} HTTP/1.1\r\n${host}${json}${headers}Transfer-Encoding: chunked\r\n\r\n${chunks
    .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`)
    .join('')}0\r\n\r\n`

t.test('bodies in chunks', { timeout: 120_000 }, async (t) => {
  const { app, port } = await testServer(t)
  const cookie = `Cookie: ${await cookieOf(port, 'ann')}\r\n`

  t.test('of one byte each are read', async (t) => {
    const [answer] = await raw(port, chunked('/v1/posts', [...JSON.stringify({ text: 'x'.repeat(200) })], cookie), 1)
    t.equal(answer?.status, 201)
  })

  t.test('too many close the connection, whether the body is read or not, and nothing later is handled', async (t) => {
    for (const [path, headers] of [
      ['/v1/session', ''],
      ['/v1/posts', ''],
      ['/v1/posts', cookie],
    ] as const) {
      for (const count of [300, 2_000]) {
        const answers = await raw(port, chunked(path, Array(count).fill(' '), headers) + live.repeat(3))
        t.ok(answers.length <= 1, `${path}: ${answers.length} answers`)
      }
    }
  })

  t.test('the rest of what Node has read costs no call: its parser has the callback that is removed', async (t) => {
    const found = new Promise<boolean>((resolve) => {
      app.server.once('request', ({ socket }: { socket: ParsedSocket }) => {
        resolve(Object.values(socket.parser ?? {}).some((value) => Object(value).name === 'parserOnBody'))
      })
    })
    await ask(port, 'GET', '/health/live')
    t.ok(await found)
  })

  t.test('so do many requests with some each, in a second', async (t) => {
    const some = chunked('/v1/session', Array(200).fill(' '))
    t.ok((await raw(port, some.repeat(10))).length < 3)
  })

  t.test('other connections have their bodies read afterwards', async (t) => {
    for (let n = 0; n < 10; n += 1) {
      await raw(port, chunked('/v1/session', Array(2_000).fill(' ')))
      expectProblem(
        t,
        await ask(port, 'POST', '/v1/session', { headers: { 'content-type': 'application/json' }, body: '{' }),
        'malformed-json',
      )
    }
  })

  t.test('behind another request they count as its headers do', async (t) => {
    const slow = `GET /v1/posts HTTP/1.1\r\n${host}\r\n`
    const large = chunked('/v1/session', ['x'.repeat(60_000)])
    t.ok((await raw(port, slow + large.repeat(90))).length < 20)
  })
})
