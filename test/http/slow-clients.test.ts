import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { testServer } from '../helper.ts'
import { ask, cookieOf, isProblem, raw } from './wire.ts'

const host = 'Host: localhost\r\n'
const get = `GET /v1/posts HTTP/1.1\r\n${host}\r\n`
const post = `POST /v1/session HTTP/1.1\r\n${host}Content-Type: application/json\r\n`
const chunked = `${post}Transfer-Encoding: chunked\r\n\r\n`

/** What is sent at once, and then the same again and again, 50 times a second. */
function* drip(first: string[], drop: string): Generator<string> {
  yield* first
  for (;;) yield drop
}

/** How long something takes, in seconds. */
async function timed<T>(work: Promise<T>): Promise<[T, number]> {
  const began = performance.now()
  return [await work, (performance.now() - began) / 1000]
}

/** Connections that say no more than this; resolves when the server has ended them all. */
async function crowd(port: number, size: number, text: string): Promise<void> {
  const one = async () => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined).resume()
    socket.write(text)
    await once(socket, 'close')
  }
  await Promise.all(Array.from({ length: size }, one))
}

async function isServedAtOnce(t: Test, port: number, name: string): Promise<void> {
  const [answer, seconds] = await timed(ask(port, 'GET', '/v1/posts'))
  t.equal(answer.status, 200, `served ${name}`)
  t.ok(seconds < 30, `and soon: after ${seconds} s`)
}

t.test('clients that send too slowly get 408 and lose the connection', { timeout: 180_000 }, async (t) => {
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
    'a body that was invited and never comes': `${post}Expect: 100-continue\r\nContent-Length: 10\r\n\r\n`,
    'a body that stops half-way': `${post}Content-Length: 10\r\n\r\n{"a"`,
    'a body that keeps coming': drip([`${post}Content-Length: 10000\r\n\r\n{"a":"`], 'b'),
    'a second request’s body that keeps coming': drip([get, `${post}Content-Length: 10000\r\n\r\n{"a":"`], 'b'),
    'a chunked body that never ends': `${chunked}1\r\n{\r\n`,
    'tiny chunks that keep coming': drip([chunked], '1\r\n \r\n'),
    'an extension of a chunk that keeps coming': drip([`${chunked}1;`], 'a'),
    'a trailer that keeps coming': drip([`${chunked}0\r\nA: `], 'b'),
  }

  async function check(name: string, parts: string | Iterable<string>, least: number, most: number) {
    const [answers, seconds] = await timed(raw(port, parts))
    const before = name.startsWith('a second') ? 1 : 0
    t.equal(answers.length, before + 1, `${name}: one answer, then the end`)
    isProblem(t, answers[before], 'request-timeout', name)
    t.equal(answers[before]?.headers.connection, 'close', name)
    t.ok(seconds >= least && seconds < most, `${name}: after ${seconds} s`)
  }

  /** What was refused before its body had come has had its answer. */
  async function isAnsweredOnce(): Promise<void> {
    const answers = await raw(port, drip([`POST /nowhere HTTP/1.1\r\n${host}Content-Length: 10000\r\n\r\n`], 'b'))
    t.equal(answers.length, 1, 'one request is not answered twice')
    isProblem(t, answers[0], 'not-found')
  }

  async function isNotDoneAfterItsTime(): Promise<void> {
    const head = `POST /v1/posts HTTP/1.1\r\n${host}Cookie: ${cookie}\r\nContent-Type: application/json\r\n`
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.write(`${head}Content-Length: 15\r\n\r\n{"text":`)
    const [answer] = await once(socket, 'data')
    t.match(String(answer), /^HTTP\/1\.1 408 /)
    socket.write('"late"}')
    await sleep(2_000)
    t.notMatch((await ask(port, 'GET', '/v1/posts')).text, /late/, 'nothing is done when the rest comes')
    socket.destroy()
  }

  const ends = [isAnsweredOnce(), isNotDoneAfterItsTime()]
  ends.push(...Object.entries(headers).map(([name, parts]) => check(name, parts, 9.5, 60)))
  ends.push(...Object.entries(bodies).map(([name, parts]) => check(name, parts, 29.5, 90)))

  const silent = timed(crowd(port, 300, ''))
  const halfway = timed(crowd(port, 300, `GET / HTTP/1.1\r\n${host}A: `))
  const waiting = timed(crowd(port, 300, `${post}Content-Length: 10\r\n\r\n{`))
  for (let n = 0; n < 5; n += 1) await isServedAtOnce(t, port, 'amid a crowd')
  for (const [, seconds] of await Promise.all([silent, halfway])) t.ok(seconds < 60, `a crowd ended by ${seconds} s`)
  t.ok((await waiting)[1] < 90, 'and the other, too')
  await Promise.all(ends)
  await isServedAtOnce(t, port, 'afterwards')
})
