import t from 'tap'
import { testServer } from '../helper.ts'
import { ask, isProblem, raw } from './wire.ts'

t.test('clients that send too slowly get 408 and lose the connection', { timeout: 180_000 }, async (t) => {
  const { port } = await testServer(t)
  const head = 'POST /v1/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
  const drops = (count: number, drop: string) => Array.from({ length: count }, () => drop)
  const slow: Record<string, string[]> = {
    'headers that never end': ['GET /v1/posts HTTP/1.1\r\nHost: localhost\r\n'],
    'headers that keep coming': [head, ...drops(600, 'A: b\r\n')],
    'a body that never comes': [`${head}Content-Length: 10\r\n\r\n`],
    'a body that stops half-way': [`${head}Content-Length: 10\r\n\r\n{"a"`],
    'a chunked body that never ends': [`${head}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`],
  }
  const check = async ([name, parts]: [string, string[]]) => {
    const answers = await raw(port, parts)
    t.equal(answers.length, 1, `${name}: one answer, then the end`)
    isProblem(t, answers[0], 'request-timeout', name)
    t.equal(answers[0]?.headers.connection, 'close', name)
  }
  const checked = Promise.all(Object.entries(slow).map(check))
  t.equal((await ask(port, 'GET', '/v1/posts')).status, 200, 'others are served meanwhile')
  await checked
  t.equal((await ask(port, 'GET', '/v1/posts')).status, 200, 'and afterwards')
})
