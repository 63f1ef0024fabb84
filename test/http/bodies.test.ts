import t from 'tap'
import { testServer } from '../helper.ts'
import { answersIn, ask, cookieOf, isProblem, pointersOf, raw, rawText, type Wish } from './wire.ts'

const json = { 'content-type': 'application/json' }

t.test('bodies', async (t) => {
  const { port } = await testServer(t)
  const cookie = await cookieOf(port, 'ann')
  const post = (wish: Wish) => ask(port, 'POST', '/v1/posts', { ...wish, headers: { cookie, ...wish.headers } })
  const text = (length: number) => JSON.stringify({ text: 'x' }).padEnd(length)

  t.test('a route that takes no body accepts an empty one whatever its type', async (t) => {
    for (const type of [undefined, 'application/json', 'text/plain', 'multipart/form-data', 'nonsense', '']) {
      const headers = type === undefined ? {} : { 'content-type': type }
      for (const wish of [{ headers }, { headers, body: '' }, { headers, body: '', chunked: true }]) {
        const name = `${type}${'body' in wish ? ' with length 0' : ''}${'chunked' in wish ? ', chunked' : ''}`
        t.equal((await ask(port, 'DELETE', '/v1/session', wish)).status, 204, name)
      }
    }
  })

  t.test('and refuses one that is not', async (t) => {
    for (const body of ['{}', 'null', '[]', '""']) {
      const answer = await ask(port, 'DELETE', '/v1/session', { headers: json, body })
      isProblem(t, answer, 'validation', body)
      t.same(pointersOf(answer), ['/body'])
    }
    isProblem(t, await ask(port, 'DELETE', '/v1/session', { headers: json, body: '{' }), 'malformed-json')
    const plain = { headers: { 'content-type': 'text/plain' }, body: 'x' }
    isProblem(t, await ask(port, 'DELETE', '/v1/session', plain), 'unsupported-media-type')
  })

  t.test('a route that takes one answers an empty one with malformed-json, whatever its type', async (t) => {
    for (const type of [undefined, 'application/json', 'text/plain', 'nonsense']) {
      const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type }
      isProblem(t, await post({ headers }), 'malformed-json', `${type}, none`)
      isProblem(t, await post({ headers, body: '' }), 'malformed-json', `${type}, empty`)
      isProblem(t, await post({ headers, body: '', chunked: true }), 'malformed-json', `${type}, empty and chunked`)
    }
  })

  t.test('only application/json in UTF-8, not compressed', async (t) => {
    const body = '{"text":"x"}'
    const good = ['application/json', 'application/json; charset=utf-8', 'Application/JSON;charset="UTF-8"']
    for (const type of good) t.equal((await post({ headers: { 'content-type': type }, body })).status, 201, type)
    const bad = ['application/json; charset=utf-16', 'application/json; charset=iso-8859-1', 'application/jsonx']
    bad.push('text/plain', 'text/json', 'application/problem+json', 'application/x-www-form-urlencoded', 'json', '*/*')
    for (const type of bad) {
      isProblem(t, await post({ headers: { 'content-type': type }, body }), 'unsupported-media-type', type)
    }
    isProblem(t, await post({ body }), 'unsupported-media-type', 'no type')
    isProblem(t, await post({ body, chunked: true }), 'unsupported-media-type', 'no type, chunked')
    for (const coding of ['gzip', 'br', 'identity, gzip']) {
      isProblem(
        t,
        await post({ headers: { ...json, 'content-encoding': coding }, body }),
        'unsupported-media-type',
        coding,
      )
    }
    t.equal((await post({ headers: { ...json, 'content-encoding': 'identity' }, body })).status, 201)
  })

  t.test('what is not JSON in UTF-8 is malformed', async (t) => {
    const bad = ['{', '{"text":"x"}x', "{'text':'x'}", '{"text":"x",}', '{"text":NaN}', ' ', '\u0000', 'undefined']
    for (const body of bad) isProblem(t, await post({ headers: json, body }), 'malformed-json', JSON.stringify(body))
    const bytes = {
      'a lone 0xff': [0xff],
      'an overlong NUL': [0xc0, 0x80],
      'an encoded surrogate': [0xed, 0xa0, 0x80],
      'a cut-off sequence': [0xe2, 0x82],
    }
    for (const [name, some] of Object.entries(bytes)) {
      const body = Buffer.concat([Buffer.from('{"text":"'), Buffer.from(some), Buffer.from('"}')])
      isProblem(t, await post({ headers: json, body }), 'malformed-json', name)
    }
  })

  t.test('keys that reach for a prototype are refused, however they are written', async (t) => {
    const bad = ['{"text":"x","__proto__":{"a":1}}', '{"text":"x","\\u005f_proto__":null}', '{"__proto__":[]}']
    bad.push('{"text":"x","constructor":{"prototype":{"a":1}}}', '{"text":{"constructor":{"prototype":{}}}}')
    for (const body of bad) isProblem(t, await post({ headers: json, body }), 'malformed-json', body)
    const lone = await post({ headers: json, body: '{"text":"x","constructor":1}' })
    isProblem(t, lone, 'validation')
    t.same(pointersOf(lone), ['/body/constructor'])
  })

  t.test('16 KiB and not a byte more, chunked or not', async (t) => {
    for (const chunked of [false, true]) {
      t.equal(
        (await post({ headers: json, body: text(16 * 1024), chunked })).status,
        201,
        `exactly, chunked ${chunked}`,
      )
      const more = { headers: json, body: text(16 * 1024 + 1), chunked }
      isProblem(t, await post(more), 'payload-too-large', `one more, chunked ${chunked}`)
    }
  })

  t.test('what is too large is refused before it is all there, and the connection ends', async (t) => {
    const head = 'POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
    const live = 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'
    const shapes: Record<string, string[]> = {
      'by its length': [`${head}Content-Length: 99999999\r\n\r\n`, live],
      'by its length, and not asked for': [`${head}Expect: 100-continue\r\nContent-Length: 16385\r\n\r\n`, live],
      'by what came of it': [`${head}Transfer-Encoding: chunked\r\n\r\n`, `4001\r\n${' '.repeat(0x4001)}\r\n`, live],
      'in small chunks': [`${head}Transfer-Encoding: chunked\r\n\r\n`, '1\r\n \r\n'.repeat(0x4001), live],
    }
    for (const [name, parts] of Object.entries(shapes)) {
      const text = await rawText(port, parts)
      t.equal(text.match(/^HTTP\/1\.1 /gm)?.length, 1, `${name}: one answer, without an invitation before it`)
      const [answer] = answersIn(text)
      isProblem(t, answer, 'payload-too-large', name)
      t.equal(answer?.headers.connection, 'close', name)
    }
  })

  t.test('the body of what is refused is no request: it is passed over, or the connection ends', async (t) => {
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
    isProblem(t, answers[0], 'unsupported-media-type')
  })

  t.test('a chunked body is read like any other, in however many chunks', async (t) => {
    const head = `POST /v1/posts HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\nContent-Type: application/json\r\n`
    const chunks = [...'{"text":"é"}'].map((one) => Buffer.from(one)).flatMap((bytes) => [...bytes])
    const coded = chunks.map((byte) => `1\r\n${String.fromCharCode(byte)}\r\n`)
    const [answer] = await raw(port, [`${head}Transfer-Encoding: chunked\r\n\r\n`, ...coded, '0\r\n\r\n'], 1)
    t.match(answer, { status: 201, text: /"text":"Ã©"/ }, 'the two bytes of one character, read here as latin1')
  })
})
