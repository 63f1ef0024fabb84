import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { Checker } from '../../bot/check/checker.ts'
import { Misbehaviour, misdeeds } from '../../bot/faults/misbehaviour.ts'
import { PreviousAccess } from '../../bot/faults/previous-access.ts'
import { cutRequest, readSlowly } from '../../bot/faults/raw-request.ts'
import { History } from '../../bot/history/history.ts'
import { eventually } from '../eventually.ts'
import { listen } from './forward.ts'

/** A server that keeps what it has got: bodies that came whole, and how many requests did not. */
async function receiver(t: Test) {
  const got = { whole: [] as string[], halves: 0, connections: 0 }
  const server = createServer(async (request, response) => {
    await text(request).then(
      (body) => got.whole.push(`${request.method} ${request.headers.cookie} ${body}`),
      () => (got.halves += 1),
    )
    response.end('x'.repeat(100_000))
  })
  server.on('connection', () => (got.connections += 1))
  const url = new URL(`http://127.0.0.1:${await listen(t, server)}/v1/posts?limit=1`)
  const request = (method: string, body?: string) => ({
    ...{ url, method, body, ca: undefined, timeoutMs: 30_000 },
    headers: { cookie: 'a=1', ...(body && { 'content-length': String(Buffer.byteLength(body)) }) },
  })
  return { got, request }
}

t.test('a request that is cut before its end never arrives whole, one that is cut after it does', async (t) => {
  const { got, request } = await receiver(t)
  for (const body of ['{"text":"ü"}', undefined]) {
    await cutRequest(request('PUT', body), false, 0)
    await cutRequest(request('PUT', body), true, 20)
  }
  await eventually(() => got.whole.length === 2 && got.connections === 4)
  t.strictSame(got.whole, ['PUT a=1 {"text":"ü"}', 'PUT a=1 '])
  await eventually(() => got.halves === 1)
})

t.test('a slow reader gets the whole answer, after its pauses', async (t) => {
  const { request } = await receiver(t)
  const startedAt = performance.now()
  const { statusCode, body } = await readSlowly(request('GET'), 30)
  t.equal(statusCode, 200)
  t.equal(body.length, 100_000)
  t.ok(performance.now() - startedAt >= 55, 'two pauses or more')
})

t.test('which call misbehaves, and how, follows from the seed and fits the call', async (t) => {
  const write = { action: 'like', method: 'PUT' as const, writes: [{ register: 'r', value: 'like' }] }
  const read = { action: 'read post', method: 'GET' as const }
  const plan = (seed: number, call: typeof write | typeof read) => {
    const misbehaviour = new Misbehaviour(seed)
    return Array.from({ length: 400 }, () => misbehaviour.next(3, call)?.misdeed)
  }
  t.strictSame(plan(1, write), plan(1, write))
  t.notSame(plan(1, write), plan(2, write))
  const kinds = (call: typeof write | typeof read) => new Set(plan(1, call).filter((one) => one !== undefined))
  t.strictSame([...kinds(write)].sort(), ['cut after', 'cut before', 'doubled'])
  t.strictSame([...kinds(read)].sort(), misdeeds.filter((one) => one !== 'doubled').sort())
})

t.test('the previous access cookie is the one before the present', async (t) => {
  const access = new PreviousAccess()
  access.note({ 'set-cookie': ['session=a; Path=/', 'refresh=b'] })
  t.equal(access.previous, null)
  access.note({ 'set-cookie': ['session=; Max-Age=0'] })
  access.note({ 'set-cookie': ['session=c; Path=/'] })
  t.equal(access.previous, 'session=a')
})

t.test('half a request must have no effect; one without an answer may have one', async (t) => {
  for (const { cause, findings } of [
    { cause: 'not sent whole', findings: 1 },
    { cause: 'cut', findings: 0 },
  ]) {
    const history = new History()
    const checker = new Checker()
    history.listen(checker)
    const write = history.begin({ robot: 0, action: 'like' }, [{ register: 'reaction:a:b/0', value: 'like' }])
    history.end(write, { status: null, cause, requestId: null })
    const read = history.begin({ robot: 0, action: 'read post' })
    const seen = [{ register: 'reaction:a:b/0', value: 'like' }]
    history.end(read, { status: 200, cause: '200', requestId: null }, seen)
    t.equal(checker.findings.length, findings, cause)
    t.equal(checker.pinned, 1 - findings)
  }
})
