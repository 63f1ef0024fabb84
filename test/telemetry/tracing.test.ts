import { execFile } from 'node:child_process'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import packageJson from '../../package.json' with { type: 'json' }
import { readConfig } from '../../src/config.ts'
import type { Environment } from '../../src/environment/environment.ts'
import { eventually } from '../eventually.ts'
import { password, testServer } from '../helper.ts'
import { ask, cookieOf, field } from '../http/wire.ts'
import { type ExportedSpan, kinds, startCollector, statusError } from './collector.ts'

const run = promisify(execFile)

/** A server that sends its spans to a collector of its own. `exported` closes it, and so waits for its last spans. */
async function tracedServer(t: Test, env: Environment = {}) {
  const collector = await startCollector(t)
  const server = await testServer(t, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, ...env })
  const exported = async () => {
    await server.app.close()
    return collector.spans()
  }
  return { ...server, collector, exported }
}

const ofServer = (spans: ExportedSpan[]) => spans.filter(({ kind }) => kind === kinds.server)
const childrenOf = (spans: ExportedSpan[], parent: ExportedSpan | undefined) =>
  spans.filter(({ parentSpanId }) => parent !== undefined && parentSpanId === parent.spanId)

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const callerSpan = '00f067aa0ba902b7'

t.test('without OTEL_EXPORTER_OTLP_ENDPOINT no module of tracing is loaded', async (t) => {
  const app = new URL('../../src/app.ts', import.meta.url).href
  const program = `import { createRequire } from 'node:module'
    await import(${JSON.stringify(app)})
    const loaded = Object.keys(createRequire(${JSON.stringify(app)}).cache)
    console.log(JSON.stringify([loaded.length > 100, loaded.filter((path) => /@opentelemetry.(?!api.)|@fastify.otel/.test(path))]))`
  // @opentelemetry/api alone is prom-client's, too.
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program])
  t.same(JSON.parse(stdout), [true, []])
})

t.test('each request is a span named by its route, with the request id; its log line has its ids', async (t) => {
  const { port, lines, collector, exported } = await tracedServer(t, { OTEL_SERVICE_NAME: 'rookery-test' })
  const cookie = await cookieOf(port, 'ann')
  const created = await ask(port, 'POST', '/v1/posts', { headers: { cookie }, json: { text: 'x' } })
  const read = await ask(port, 'GET', `/v1/posts/${field(created.body, 'id')}`)
  const missing = await ask(port, 'GET', '/nothing/here?at=all')
  const refused = await ask(port, 'DELETE', '/v1/posts')
  const invalid = await ask(port, 'POST', '/v1/posts', { headers: { cookie }, json: { text: '' } })
  await ask(port, 'GET', '/health/live')
  const spans = await exported()
  for (const [answer, name, status] of [
    [created, 'POST /v1/posts', 201],
    [read, 'GET /v1/posts/:id', 200],
    [missing, 'GET', 404],
    [refused, 'DELETE /v1/posts', 405],
    [invalid, 'POST /v1/posts', 400],
  ] as const) {
    const id = String(answer.headers['x-request-id'])
    const isOwn = ({ attributes }: ExportedSpan) => `${attributes['http.response.header.x-request-id']}` === id
    const found = ofServer(spans).filter(isOwn)
    t.equal(answer.status, status)
    t.match(found, [{ name, status: { code: 0 }, attributes: { 'http.response.status_code': status } }])
    const line = lines.map((line) => JSON.parse(line)).find(({ reqId, path }) => reqId === id && path)
    t.match(line, { trace_id: found[0]?.traceId, span_id: found[0]?.spanId })
  }
  t.notOk(
    spans.find(({ name }) => name.includes('/health')),
    'a frequent request has no span',
  )
  t.same([...new Set(collector.paths)], ['POST /v1/traces'])
  t.match(spans[0]?.resource, { 'service.name': 'rookery-test', 'service.version': packageJson.version })
})

t.test('the span of a command is the child of its request, also after a body, and has no statement', async (t) => {
  const { port, db, exported } = await tracedServer(t)
  await cookieOf(port, 'ann')
  await ask(port, 'GET', '/v1/accounts/ann')
  // A document that the server cannot read: its message quotes it.
  await db.command({ collMod: 'accounts', validator: { $expr: false } })
  await ask(port, 'POST', '/v1/accounts', { json: { username: 'bob', password } })
  await db.command({ collMod: 'accounts', validator: {} })
  const spans = await exported()
  const [signUp, read, failed] = ['POST /v1/accounts', 'GET /v1/accounts/:username', 'POST /v1/accounts'].map(
    (name, n) => ofServer(spans).filter((span) => span.name === name)[n === 2 ? 1 : 0],
  )
  t.match(
    childrenOf(spans, read).find(({ name }) => name.endsWith(' accounts')),
    {
      kind: kinds.client,
      attributes: { 'db.system.name': 'mongodb', 'db.collection.name': 'accounts', 'db.operation.name': String },
    },
  )
  t.ok(
    childrenOf(spans, signUp).some(({ name }) => name === 'insert accounts'),
    'the command of a request with a body',
  )
  t.match(failed, {
    status: { code: statusError, message: undefined },
    attributes: { 'http.response.status_code': 500 },
  })
  const names = new Set(
    spans.filter(({ kind }) => kind === kinds.client).flatMap((span) => Object.keys(span.attributes)),
  )
  for (const name of names)
    t.match(name, /^(db\.(system\.name|operation\.name|collection\.name|response\.status_code)|error\.type)$/)
})

t.test('a valid traceparent is continued, any other begins a new trace', async (t) => {
  const { port, exported } = await tracedServer(t)
  const send = (traceparent: string) => ask(port, 'GET', '/v1/posts', { headers: { traceparent, tracestate: 'a=b' } })
  const ids = async (traceparent: string) => String((await send(traceparent)).headers['x-request-id'])
  const valid = await ids(`00-${traceId}-${callerSpan}-01`)
  const others = [
    await ids(''),
    await ids('x'),
    await ids(`00-${'0'.repeat(32)}-${callerSpan}-01`),
    await ids(`00-${traceId}-${'0'.repeat(16)}-01`),
    await ids(`ff-${traceId}-${callerSpan}-01`),
    await ids(`00-${traceId.toUpperCase()}-${callerSpan}-01`),
    await ids(`00-${traceId}-${callerSpan}-01-more`),
    await ids(`00-${traceId}-${callerSpan}-01, 00-${traceId}-${callerSpan}-01`),
    await ids(`00-${traceId}-${callerSpan}-01${'1'.repeat(5_000)}`),
  ]
  const unsampled = await ids(`00-${traceId}-${callerSpan}-00`)
  const spans = ofServer(await exported())
  const of = (id: string) => spans.filter((span) => `${span.attributes['http.response.header.x-request-id']}` === id)
  t.match(of(valid), [{ traceId, parentSpanId: callerSpan, traceState: undefined }])
  for (const id of others) {
    const [span] = of(id)
    t.match(span, { traceId: /^[0-9a-f]{32}$/, parentSpanId: undefined })
    t.not(span?.traceId, traceId)
  }
  t.same(of(unsampled), [], 'a caller that does not record has no span here')
})

t.test('the share of requests that begin a trace is OTEL_TRACES_SAMPLER_ARG', async (t) => {
  const { port, lines, exported } = await tracedServer(t, { OTEL_TRACES_SAMPLER_ARG: '0' })
  await ask(port, 'GET', '/v1/posts')
  await ask(port, 'GET', '/v1/posts', { headers: { traceparent: `00-${traceId}-${callerSpan}-01` } })
  t.match(await exported(), [{ traceId }, { traceId }], 'that of a caller who records, and its command')
  t.equal(lines.filter((line) => line.includes('"trace_id"') && line.includes('"path"')).length, 2)
})

t.test('no span holds an address, a path, a query, a header, a token, a password, a name or a text', async (t) => {
  const { port, db, collector, exported } = await tracedServer(t, { TRUSTED_PROXIES: '127.0.0.1' })
  const secrets = new Set([password, 'wrong password of ann', '203.0.113.77', '127.0.0.1'])
  let cookie = ''
  const step = async (method: string, path: string, options: Parameters<typeof ask>[3] = {}) => {
    const headers = {
      cookie,
      'x-forwarded-for': '203.0.113.77',
      'user-agent': 'canary-user-agent',
      traceparent: `00-${traceId}-${callerSpan}-01`,
      tracestate: 'canary=state',
      baggage: 'canary=baggage',
      ...options.headers,
    }
    const answer = await ask(port, method, path, { ...options, headers })
    const cookies = (answer.headers['set-cookie'] ?? []).map((header) => header.split(';')[0] ?? '')
    if (cookies.length > 0) cookie = cookies.join('; ')
    for (const pair of cookies) secrets.add(pair.split('=')[1] || password)
    return answer
  }
  const account = await step('POST', '/v1/accounts', { json: { username: 'canary_ann', password } })
  await step('POST', '/v1/accounts', { json: { username: 'canary_ann', password } })
  await step('POST', '/v1/session', { json: { username: 'canary_ann', password: 'wrong password of ann' } })
  await step('POST', '/v1/session', { json: { username: 'canary_ann', password } })
  await step('POST', '/v1/session/refresh')
  const post = await step('POST', '/v1/posts', {
    json: { text: 'canary text' },
    headers: { 'idempotency-key': 'canary-key' },
  })
  const path = `/v1/posts/${field(post.body, 'id')}`
  await step('GET', '/v1/posts?cursor=canary-query')
  await step('GET', '/v1/accounts/canary_ann?canary=query')
  await step('GET', '/canary/path')
  await step('CANARY', '/v1/posts').catch(() => undefined)
  await step('POST', '/v1/posts', { body: '{"text":"canary', headers: { 'content-type': 'application/json' } })
  // Answers 500, and the message of the error quotes the document.
  await db.collection('posts').updateOne({}, { $set: { text: { canary: 1 } } })
  await step('GET', path)
  const spans = await exported()
  t.ok(ofServer(spans).length >= 10, `${spans.length} spans`)
  const sent = collector.bodies.join('\n')
  for (const { body } of [account, post]) secrets.add(String(field(body, 'id')))
  t.ok(secrets.size >= 9, `${secrets.size} secrets`)
  for (const secret of secrets) t.notOk(sent.includes(secret), secret.slice(0, 24))
  t.notMatch(sent, /canary/i)
  t.notMatch(sent, new RegExp(db.databaseName), 'the database')
})

t.test('a request whose client left has a span with status 499', async (t) => {
  const { port, lines, exported } = await tracedServer(t, { BCRYPT_COST: '12' })
  await cookieOf(port, 'ann')
  const body = JSON.stringify({ username: 'ann', password })
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  const head = 'POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n'
  socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`, () => socket.resetAndDestroy())
  await eventually(() => lines.some((line) => line.includes('"path":"/v1/session"')))
  const found = ofServer(await exported()).filter(({ name }) => name === 'POST /v1/session')
  t.match(found, [{ attributes: { 'http.response.status_code': 499 } }])
})

t.test('settings that cannot be right stop the start', async (t) => {
  const faults = (env: Environment) => readConfig(env).then(() => 'none', String)
  for (const endpoint of ['collector:4318', 'grpc://collector:4317', 'http://u:p@collector', 'http://collector/?a=b']) {
    const text = await faults({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint })
    t.match(text, /OTEL_EXPORTER_OTLP_ENDPOINT must be the http or https URL/, endpoint)
    t.notMatch(text, /u:p/)
  }
  for (const share of ['2', '-1', 'all', '1e-3'])
    t.match(await faults({ OTEL_TRACES_SAMPLER_ARG: share }), /OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1/)
})
