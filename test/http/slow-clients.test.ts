import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { testServer } from '../helper.ts'
import { ask, cookieOf, expectProblem, raw } from './wire.ts'

const host = 'Host: localhost\r\n'
const get = `GET /v1/posts HTTP/1.1\r\n${host}\r\n`
const post = `POST /v1/session HTTP/1.1\r\n${host}Content-Type: application/json\r\n`
const chunked = `${post}Transfer-Encoding: chunked\r\n\r\n`

/** Parts to send first, and then one drop repeatedly; raw() sends 50 parts per second. */
function* drip(first: string[], drop: string): Generator<string> {
  yield* first
  for (;;) yield drop
}

/** The result of the work, and how many seconds it took. */
async function timed<T>(work: Promise<T>): Promise<[T, number]> {
  const startedAtMs = performance.now()
  return [await work, (performance.now() - startedAtMs) / 1000]
}

/** Opens connections that send only this; resolves when the server has closed them all. */
async function openConnections(port: number, size: number, text: string): Promise<void> {
  const openConnection = async () => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined).resume()
    socket.write(text)
    await once(socket, 'close')
  }
  await Promise.all(Array.from({ length: size }, openConnection))
}

async function expectServedPromptly(t: Test, port: number, name: string): Promise<void> {
  const [answer, seconds] = await timed(ask(port, 'GET', '/v1/posts'))
  t.equal(answer.status, 200, `served ${name}`)
  t.ok(seconds < 30, `served within 30 s: ${seconds} s`)
}

t.test(
  'clients whose headers take over 10 s or whose request takes over 30 s get 408 and are disconnected',
  { timeout: 180_000 },
  async (t) => {
    const { port } = await testServer(t)
    const cookie = await cookieOf(port, 'ann')

    const headers: Record<string, string | Iterable<string>> = {
      'nothing at all': '',
      'line ends and nothing else': drip([], '\r\n'),
      'one byte': 'G',
      'a URL that keeps coming': drip(['GET /'], 'x'),
      'headers that never end': `GET /v1/posts HTTP/1.1\r\n${host}`,
      'headers that keep coming': drip([`GET / HTTP/1.1\r\n${host}`], 'A: b\r\n'),
      'a header that keeps coming': drip([`GET / HTTP/1.1\r\n${host}A: `], 'b'),
      'a second request’s headers that keep coming': drip([get, `GET / HTTP/1.1\r\n${host}A: `], 'b'),
    }
    const bodies: Record<string, string | Iterable<string>> = {
      'a body that never comes': `${post}Content-Length: 10\r\n\r\n`,
      'a body that never comes after 100 Continue': `${post}Expect: 100-continue\r\nContent-Length: 10\r\n\r\n`,
      'a body that stops half-way': `${post}Content-Length: 10\r\n\r\n{"a"`,
      'a body that keeps coming': drip([`${post}Content-Length: 10000\r\n\r\n{"a":"`], 'b'),
      'a second request’s body that keeps coming': drip([get, `${post}Content-Length: 10000\r\n\r\n{"a":"`], 'b'),
      'a chunked body that never ends': `${chunked}1\r\n{\r\n`,
      'tiny chunks that keep coming': drip([chunked], '1\r\n \r\n'),
      'a chunk extension that keeps coming': drip([`${chunked}1;`], 'a'),
      'a trailer that keeps coming': drip([`${chunked}0\r\nA: `], 'b'),
    }

    async function check(name: string, parts: string | Iterable<string>, minSeconds: number, maxSeconds: number) {
      const [answers, seconds] = await timed(raw(port, parts))
      const before = name.startsWith('a second') ? 1 : 0
      t.equal(answers.length, before + 1, `${name}: one response, then the connection closes`)
      expectProblem(t, answers[before], 'request-timeout', name)
      t.equal(answers[before]?.headers.connection, 'close', name)
      t.ok(seconds >= minSeconds && seconds < maxSeconds, `${name}: after ${seconds} s`)
    }

    /** A request that is refused before its body arrives is already answered. */
    async function expectOneAnswer(): Promise<void> {
      const answers = await raw(port, drip([`POST /nowhere HTTP/1.1\r\n${host}Content-Length: 10000\r\n\r\n`], 'b'))
      t.equal(answers.length, 1, 'the request is answered once')
      expectProblem(t, answers[0], 'not-found')
    }

    async function expectNotHandledAfter408(): Promise<void> {
      const head = `POST /v1/posts HTTP/1.1\r\n${host}Cookie: ${cookie}\r\nContent-Type: application/json\r\n`
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      socket.write(`${head}Content-Length: 15\r\n\r\n{"text":`)
      const [answer] = await once(socket, 'data')
      t.match(String(answer), /^HTTP\/1\.1 408 /)
      socket.write('"late"}')
      await sleep(2_000)
      t.notMatch((await ask(port, 'GET', '/v1/posts')).text, /late/, 'no post is created when the rest arrives')
      socket.destroy()
    }

    const checks = [expectOneAnswer(), expectNotHandledAfter408()]
    checks.push(...Object.entries(headers).map(([name, parts]) => check(name, parts, 9.5, 60)))
    checks.push(...Object.entries(bodies).map(([name, parts]) => check(name, parts, 29.5, 90)))

    const silent = timed(openConnections(port, 300, ''))
    const halfway = timed(openConnections(port, 300, `GET / HTTP/1.1\r\n${host}A: `))
    const waiting = timed(openConnections(port, 300, `${post}Content-Length: 10\r\n\r\n{`))
    for (let n = 0; n < 5; n += 1) await expectServedPromptly(t, port, 'while 900 slow connections are open')
    for (const [, seconds] of await Promise.all([silent, halfway]))
      t.ok(seconds < 60, `300 connections are closed within 60 s: ${seconds} s`)
    t.ok((await waiting)[1] < 90, '300 connections with an incomplete body are closed within 90 s')
    await Promise.all(checks)
    await expectServedPromptly(t, port, 'after the slow connections are closed')
  },
)
