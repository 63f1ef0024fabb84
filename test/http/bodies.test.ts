import t from 'tap'
import { testServer } from '../helper.ts'
import { answersIn, ask, cookieOf, expectProblem, pointersOf, type RequestOptions, raw, rawText } from './wire.ts'

const json = { 'content-type': 'application/json' }

t.test('request bodies', async (t) => {
  const { port } = await testServer(t)
  const cookie = await cookieOf(port, 'ann')
  const post = (options: RequestOptions) =>
    ask(port, 'POST', '/v1/posts', { ...options, headers: { cookie, ...options.headers } })
  const text = (length: number) => JSON.stringify({ text: 'x' }).padEnd(length)

  t.test('a route without a body accepts an empty one of any media type', async (t) => {
    for (const type of [undefined, 'application/json', 'text/plain', 'multipart/form-data', 'nonsense', '']) {
      const headers = type === undefined ? {} : { 'content-type': type }
      for (const options of [{ headers }, { headers, body: '' }, { headers, body: '', chunked: true }]) {
        const name = `${type}${'body' in options ? ' with length 0' : ''}${'chunked' in options ? ', chunked' : ''}`
        t.equal((await ask(port, 'DELETE', '/v1/session', options)).status, 204, name)
      }
    }
  })

  t.test('a route without a body refuses one that is not empty', async (t) => {
    for (const body of ['{}', 'null', '[]', '""']) {
      const answer = await ask(port, 'DELETE', '/v1/session', { headers: json, body })
      expectProblem(t, answer, 'validation', body)
      t.same(pointersOf(answer), ['/body'])
    }
    expectProblem(t, await ask(port, 'DELETE', '/v1/session', { headers: json, body: '{' }), 'malformed-json')
    const plain = { headers: { 'content-type': 'text/plain' }, body: 'x' }
    expectProblem(t, await ask(port, 'DELETE', '/v1/session', plain), 'unsupported-media-type')
  })

  t.test('a body of more than 100 members and items is refused before it is parsed', async (t) => {
    const members = (count: number) => `{${Array.from({ length: count }, (_, n) => `"${n}":0`).join()}}`
    const faultsOf = async (body: string) => pointersOf(await post({ headers: json, body }))
    t.equal((await faultsOf(members(100))).length, 20, '100 members: each of the first 20 faults')
    for (const body of [members(101), `{"text":${'['.repeat(100)}${']'.repeat(100)}}`, `${'['.repeat(8_000)}`]) {
      t.same(await faultsOf(body), ['/body'], body.slice(0, 20))
    }
    const answer = await post({ headers: json, body: JSON.stringify({ text: `\\",{[`.repeat(100) }) })
    t.equal(answer.status, 201, 'what a text holds is no value')
  })

  t.test('a route with a body answers an empty one of any media type with malformed-json', async (t) => {
    for (const type of [undefined, 'application/json', 'text/plain', 'nonsense']) {
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
      expectProblem(t, await post({ headers }), 'malformed-json', `${type}, none`)
      expectProblem(t, await post({ headers, body: '' }), 'malformed-json', `${type}, empty`)
      expectProblem(t, await post({ headers, body: '', chunked: true }), 'malformed-json', `${type}, empty and chunked`)
    }
  })

  t.test('only uncompressed application/json in UTF-8 is accepted', async (t) => {
    const body = '{"text":"x"}'
    const good = ['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"']
    for (const type of good) t.equal((await post({ headers: { 'content-type': type }, body })).status, 201, type)
    const bad = ['application/json; charset=utf-16', 'application/json; charset=iso-8859-1', 'application/jsonx']
    bad.push('text/plain', 'text/json', 'application/problem+json', 'application/x-www-form-urlencoded', 'json', '*/*')
    for (const type of bad) {
      expectProblem(t, await post({ headers: { 'content-type': type }, body }), 'unsupported-media-type', type)
    }
    expectProblem(t, await post({ body }), 'unsupported-media-type', 'no type')
    expectProblem(t, await post({ body, chunked: true }), 'unsupported-media-type', 'no type, chunked')
    for (const coding of ['gzip', 'br', 'identity, gzip']) {
      expectProblem(
        t,
        await post({ headers: { ...json, 'content-encoding': coding }, body }),
        'unsupported-media-type',
        coding,
      )
    }
    t.equal((await post({ headers: { ...json, 'content-encoding': 'identity' }, body })).status, 201)
  })

  t.test('a body that is not JSON in UTF-8 gets malformed-json', async (t) => {
    const bad = ['{', '{"text":"x"}x', "{'text':'x'}", '{"text":"x",}', '{"text":NaN}', ' ', '\u0000', 'undefined']
    for (const body of bad)
      expectProblem(t, await post({ headers: json, body }), 'malformed-json', JSON.stringify(body))
    const bytes = {
      'a lone 0xff': [0xff],
      'an overlong NUL': [0xc0, 0x80],
      'an encoded surrogate': [0xed, 0xa0, 0x80],
      'a cut-off sequence': [0xe2, 0x82],
    }
    for (const [name, invalidBytes] of Object.entries(bytes)) {
      const body = Buffer.concat([Buffer.from('{"text":"'), Buffer.from(invalidBytes), Buffer.from('"}')])
      expectProblem(t, await post({ headers: json, body }), 'malformed-json', name)
    }
  })

  t.test('__proto__ and constructor.prototype keys are refused, however they are escaped', async (t) => {
    const bad = ['{"text":"x","__proto__":{"a":1}}', '{"text":"x","\\u005f_proto__":null}', '{"__proto__":[]}']
    bad.push('{"text":"x","constructor":{"prototype":{"a":1}}}', '{"text":{"constructor":{"prototype":{}}}}')
    for (const body of bad) expectProblem(t, await post({ headers: json, body }), 'malformed-json', body)
    const lone = await post({ headers: json, body: '{"text":"x","constructor":1}' })
    expectProblem(t, lone, 'validation')
    t.same(pointersOf(lone), ['/body/constructor'])
  })

  t.test('a body of 16 KiB is accepted and one of 16 KiB + 1 byte is refused, chunked or not', async (t) => {
    for (const chunked of [false, true]) {
      t.equal(
        (await post({ headers: json, body: text(16 * 1024), chunked })).status,
        201,
        `16 KiB, chunked: ${chunked}`,
      )
      const oversized = { headers: json, body: text(16 * 1024 + 1), chunked }
      expectProblem(t, await post(oversized), 'payload-too-large', `16 KiB + 1 byte, chunked: ${chunked}`)
    }
  })

  t.test('a body that is too large is refused before it has arrived, and the connection closes', async (t) => {
    const head = 'POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
    const live = 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'
    const shapes: Record<string, string[]> = {
      'by Content-Length': [`${head}Content-Length: 99999999\r\n\r\n`, live],
      'by Content-Length, with Expect: 100-continue': [
        `${head}Expect: 100-continue\r\nContent-Length: 16385\r\n\r\n`,
        live,
      ],
      'by the size of a chunk': [
        `${head}Transfer-Encoding: chunked\r\n\r\n`,
        `4001\r\n${' '.repeat(0x4001)}\r\n`,
        live,
      ],
      'in small chunks': [
        `${head}Transfer-Encoding: chunked\r\n\r\n`,
        `80\r\n${' '.repeat(0x80)}\r\n`.repeat(0x81),
        live,
      ],
    }
    for (const [name, parts] of Object.entries(shapes)) {
      const text = await rawText(port, parts)
      t.equal(text.match(/^HTTP\/1\.1 /gm)?.length, 1, `${name}: one response, without 100 Continue`)
      const [answer] = answersIn(text)
      expectProblem(t, answer, 'payload-too-large', name)
      t.equal(answer?.headers.connection, 'close', name)
    }
  })

  t.test('the body of a refused request is never handled as a request', async (t) => {
    const live = 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'
    const length = `Host: x\r\nContent-Length: ${200 * live.length}\r\n`
    for (const [path, status] of [
      ['/nowhere', 404],
      ['/v1/posts', 401],
      ['/health/live', 405],
    ]) {
      const answers = await raw(port, [`POST ${path} HTTP/1.1\r\n${length}\r\n`, live.repeat(200), live], 2)
      t.same(
        answers.map((answer) => answer.status),
        [status, 200],
        `${path}`,
      )
    }
    const zipped = `Content-Type: application/json\r\nContent-Encoding: gzip\r\nHost: x\r\nContent-Length: ${live.length}\r\n`
    const answers = await raw(port, `POST /v1/session HTTP/1.1\r\n${zipped}\r\n${live}${live}`)
    t.equal(answers.length, 1)
    expectProblem(t, answers[0], 'unsupported-media-type')
  })

  t.test('a chunked body of one-byte chunks is read correctly', async (t) => {
    const head = `POST /v1/posts HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\nContent-Type: application/json\r\n`
    const chunks = [...Buffer.from('{"text":"é"}')]
    const coded = chunks.map((byte) => `1\r\n${String.fromCharCode(byte)}\r\n`)
    const [answer] = await raw(port, [`${head}Transfer-Encoding: chunked\r\n\r\n`, ...coded, '0\r\n\r\n'], 1)
    t.match(answer, { status: 201, text: /"text":"Ã©"/ }, 'both bytes of é, which rawText decodes as latin1')
  })
})
