import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { testServer } from '../helper.ts'
import { ask, cookieOf, expectProblem, field, raw, rawText } from './wire.ts'

const host = 'Host: localhost\r\n'
const get = `GET /v1/posts HTTP/1.1\r\n${host}\r\n`
const live = `GET /health/live HTTP/1.1\r\n${host}\r\n`

t.test('pipelined requests', { timeout: 120_000 }, async (t) => {
  const { port } = await testServer(t)
  const cookie = await cookieOf(port, 'ann')
  const createPost = (text: string, headers = '') => {
    const body = JSON.stringify({ text })
    const head = `POST /v1/posts HTTP/1.1\r\n${host}Cookie: ${cookie}\r\nContent-Type: application/json\r\n${headers}`
    return `${head}Content-Length: ${body.length}\r\n\r\n${body}`
  }
  const texts = async () => {
    const items = field((await ask(port, 'GET', '/v1/posts')).body, 'items')
    return Array.isArray(items) ? items.map((item) => field(item, 'text')) : []
  }

  t.test('each is handled after the one before it is answered', async (t) => {
    const answers = await raw(port, Array.from({ length: 5 }, (_, n) => createPost(`post ${n}`) + get).join(''), 10)
    t.same(
      answers.map(({ status }) => status),
      Array(5).fill([201, 200]).flat(),
    )
    for (let n = 0; n < 5; n += 1) {
      const items = field(answers[2 * n + 1]?.body, 'items')
      t.match(items, [{ text: `post ${n}` }], 'the list contains the post of the request before')
    }
  })

  t.test('100 are answered in their order', async (t) => {
    const many = Array.from({ length: 50 }, () => live + get).join('')
    const answers = await raw(port, many, 100)
    t.equal(answers.length, 100)
    t.ok(answers.every(({ status, body }, n) => status === 200 && (n % 2 === 0) === (field(body, 'status') === 'ok')))
  })

  t.test('3,000 close the connection, and other connections are still served', async (t) => {
    const [flood] = await Promise.all([raw(port, get.repeat(3_000)), raw(port, live.repeat(3_000))])
    t.ok(flood.length < 100, `${flood.length} answers`)
    t.equal((await ask(port, 'GET', '/v1/posts')).status, 200)
  })

  t.test('so do 100 with headers of 15 KiB each, which would hold 1.5 MB', async (t) => {
    const long = live.replace('\r\n\r\n', `\r\nX-Long: ${'x'.repeat(15_000)}\r\n\r\n`)
    t.equal((await raw(port, long.repeat(5), 5)).length, 5)
    const flood = await raw(port, get + long.repeat(99))
    t.ok(flood.length < 20, `${flood.length} answers`)
    const longUrls = `GET /${'x'.repeat(15_000)} HTTP/1.1\r\n${host}\r\n`
    const [first, ...others] = await raw(port, get + longUrls.repeat(99))
    t.ok(others.length < 20, `${first?.status} and ${others.length} answers`)
  })

  t.test('no request is handled after a response that closes the connection', async (t) => {
    const closing: Record<string, [string, number]> = {
      'after Connection: close': [`GET /health/live HTTP/1.1\r\n${host}Connection: close\r\n\r\n`, 200],
      'after HTTP/1.0': ['GET /health/live HTTP/1.0\r\n\r\n', 200],
      'after two Hosts': [`GET /health/live HTTP/1.1\r\n${host}${host}\r\n`, 400],
      'after a body too large': [createPost('x'.repeat(17_000)), 413],
    }
    for (const [name, [first, status]] of Object.entries(closing)) {
      const answers = await raw(port, first + createPost(name) + createPost(name))
      t.same(
        answers.map((answer) => answer.status),
        [status],
        name,
      )
      t.equal(answers[0]?.headers.connection, 'close', name)
    }
    await sleep(500)
    const seen = await texts()
    for (const name of Object.keys(closing)) t.notOk(seen.includes(name), `no post is created ${name}`)
  })

  t.test('a malformed request is refused after the responses to those before it', async (t) => {
    for (const ahead of [[live], [get], [createPost('before'), get, live]]) {
      const answers = await raw(port, `${ahead.join('')}nonsense\r\n\r\n${createPost('after nonsense')}`)
      t.equal(answers.length, ahead.length + 1)
      t.ok(answers.slice(0, -1).every(({ status }) => status < 300))
      expectProblem(t, answers.at(-1), 'validation')
    }
    const text = await rawText(port, [`${get}nonsense\r\n\r\n`, 'more\r\n\r\n', 'and more\r\n\r\n'])
    t.equal(text.match(/HTTP\/1\.1 400/g)?.length, 1, 'one 400, whatever follows')
    t.notOk((await texts()).includes('after nonsense'))
  })
})

t.test('what connections pipeline takes little memory, whatever its headers, and is freed', async (t) => {
  const { app, port } = await testServer(t)
  const count = 30
  const flood = async (headers: number) => {
    let parsed = 0
    let closed = 0
    const onRequest = () => {
      parsed += 1
    }
    app.server.on('request', onRequest)
    const lines = Array.from({ length: headers }, (_, n) => `${n.toString(36)}:\r\n`).join('')
    const sockets = Array.from({ length: count }, () => connect(port, '127.0.0.1'))
    for (const socket of sockets) {
      socket.on('error', () => undefined)
      socket.on('close', () => {
        closed += 1
      })
      // Behind a stream, they would wait for ever.
      const stream = `GET /v1/stream HTTP/1.1\r\n${host}\r\n`
      socket.resume().write(stream + live.replace('\r\n\r\n', `\r\n${lines}\r\n`).repeat(99))
    }
    await eventually(() => closed > count / 4)
    t.equal((await raw(port, live.repeat(2), 2)).length, 2, 'another connection can have one request wait')
    for (const socket of sockets) socket.destroy()
    await eventually(() => closed === count)
    app.server.off('request', onRequest)
    return parsed
  }
  const tiny = await flood(440)
  t.ok(tiny < 40 * count, `${tiny} of 3,000 requests with 440 headers were parsed`)
  const usual = await flood(10)
  t.ok(usual < 80 * count, `${usual} of 3,000 requests with 10 headers were parsed`)
  t.equal((await raw(port, live.repeat(100), 100)).length, 100)
})

t.test('99 pipelined requests do not delay a request on another connection', async (t) => {
  const { app, port } = await testServer(t)
  const [long, short] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')]
  await Promise.all([once(long, 'connect'), once(short, 'connect')])
  const responses: ServerResponse[] = []
  const overtaken = new Promise<number>((resolve) => {
    app.server.on('request', ({ url }, response) => {
      responses.push(response)
      if (url === '/v1/posts') resolve(responses.filter(({ headersSent }) => headersSent).length)
    })
  })
  long.resume().write(live.repeat(99))
  short.resume().write(get)
  const before = await overtaken
  t.ok(before < 50, `${before} of 99 were answered before the request on the other connection`)
  for (const socket of [long, short]) socket.destroy()
})

t.test(
  'a client that does not read occupies memory for few responses, and is disconnected',
  { timeout: 120_000 },
  async (t) => {
    const { app, port } = await testServer(t)
    t.ok(app.server.timeout > 60_000, 'a response may take a minute')
    t.ok(app.server.timeout <= 120_000, 'a client must read within 2 minutes')
    app.server.setTimeout(2_000)
    const responses: ServerResponse[] = []
    app.server.on('request', (_request, response) => void responses.push(response))
    const accepted = once(app.server, 'connection')
    const socket = connect(port, '127.0.0.1').pause()
    socket.on('error', () => undefined)
    // 1.6 MB each: more than a socket buffer holds.
    socket.write(`GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\n${host}\r\n`.repeat(90))
    const [served] = await accepted
    const ended = once(served, 'close')
    await eventually(() => responses.length >= 90)
    await sleep(1_000)
    const started = responses.filter(({ headersSent }) => headersSent).length
    t.ok(started < 20, `${started} of 90 responses have been started`)
    t.equal((await ask(port, 'GET', '/health/live')).status, 200)
    await ended
    t.pass('the client is disconnected')
    socket.destroy()
  },
)

t.test('what a connection sends beyond its limits is not even parsed', async (t) => {
  const { app, port } = await testServer(t)
  let requests = 0
  app.server.on('request', () => {
    requests += 1
  })
  // One packet.
  await rawText(port, live.repeat(1_600))
  t.ok(requests <= 102, `${requests} requests`)
  for (let round = 0; round < 5; round += 1) t.equal((await raw(port, live.repeat(20), 20)).length, 20)
})
