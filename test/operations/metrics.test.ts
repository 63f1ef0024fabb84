import dns from 'node:dns'
import { METHODS } from 'node:http'
import { connect } from 'node:net'
import t from 'tap'
import packageJson from '../../package.json' with { type: 'json' }
import { buildApp } from '../../src/app.ts'
import { StartError } from '../../src/start-error.ts'
import { eventually } from '../eventually.ts'
import { password, testConfig, testServer } from '../helper.ts'
import { ask, cookieOf, expectProblem, field, raw } from '../http/wire.ts'

t.test('metrics', async (t) => {
  const server = await testServer(t)
  const { port, lines, connection } = server
  const metricsAddress = lines.map((line) => JSON.parse(line)).find(({ msg }) => msg === 'serving metrics')?.address
  const read = async () => (await ask(metricsAddress.port, 'GET', '/metrics')).text
  const countOf = async (labels: string) =>
    Number(new RegExp(`^http_request_duration_seconds_count\\{${labels}\\} (\\d+)$`, 'm').exec(await read())?.[1] ?? 0)

  t.test('metrics are served on a separate loopback port only', async (t) => {
    t.equal(metricsAddress.address, '127.0.0.1')
    t.not(metricsAddress.port, port)
    expectProblem(t, await ask(port, 'GET', '/metrics'), 'not-found')
    const answer = await ask(metricsAddress.port, 'GET', '/metrics')
    t.match(answer, { status: 200, headers: { 'content-type': /^text\/plain; version=0\.0\.4/ } })
    t.match(answer.text, /^# TYPE http_request_duration_seconds histogram$/m)
    t.match(answer.text, /^process_cpu_user_seconds_total /m, 'process metrics are included')
    for (const [method, path] of [
      ['GET', '/'],
      ['POST', '/metrics'],
      ['GET', '/v1/posts'],
    ] as const) {
      t.equal((await ask(metricsAddress.port, method, path)).status, 404, `${method} ${path}`)
    }
  })

  t.test('methods that a URL does not support share a time series, and so do paths that do not exist', async (t) => {
    const methods = METHODS.filter((method) => method !== 'CONNECT')
    for (const method of methods) {
      await ask(port, method, '/v1/pulse')
      await ask(port, method, '/nowhere')
    }
    await eventually(async () => (await countOf('method="other",route="unknown",status="404"')) >= methods.length)
    await eventually(
      async () => (await countOf('method="other",route="/v1/pulse",status="405"')) === methods.length - 2,
    )
    const counted = [...(await read()).matchAll(/^http_request_duration_seconds_count\{method="([^"]+)"/gm)]
    const known = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'other']
    t.same(
      [...new Set(counted.map(([, method]) => method))].filter((method) => !known.includes(method ?? '')),
      [],
    )
  })

  t.test('a Host that is another name gets 421: a page whose name resolves to loopback reads nothing', async (t) => {
    const ownHosts = ['127.0.0.1', '127.0.0.1:9464', 'localhost', 'LOCALHOST:1', '[::1]', '[::1]:9464', '192.0.2.7:80']
    for (const host of ownHosts)
      t.equal((await ask(metricsAddress.port, 'GET', '/metrics', { headers: { host } })).status, 200, host)
    const others = ['evil.example', 'evil.example:9464', 'localhost.evil.example', '127.0.0.1.evil.example', 'api']
    for (const host of [...others, '[evil.example]', '127.0.0.1:x', '::1', 'a@127.0.0.1', ' ', 'localhost:1:2']) {
      const answer = await ask(metricsAddress.port, 'GET', '/metrics', { headers: { host } })
      t.match(answer, { status: 421, text: /^Send a Host that is an IP address, .+\.\n$/ }, host)
      t.notMatch(answer.text, /http_request|process_cpu/, host)
    }
  })

  t.test('the name in METRICS_HOST is a Host as well', async (t) => {
    const { lookup } = dns
    t.teardown(() => Object.assign(dns, { lookup }))
    const found = [{ address: '127.0.0.1', family: 4 }]
    Object.assign(dns, {
      lookup: (name: string, options: { all?: boolean }, done: (error: null, ...found: unknown[]) => void) =>
        name === 'Metrics.internal'
          ? options.all
            ? done(null, found)
            : done(null, '127.0.0.1', 4)
          : Reflect.apply(lookup, dns, [name, options, done]),
    })
    const named = await testServer(t, { METRICS_HOST: 'Metrics.internal' })
    const { address } = named.lines.map((line) => JSON.parse(line)).find(({ msg }) => msg === 'serving metrics')
    const headers = { host: 'metrics.INTERNAL:9464' }
    t.equal((await ask(address.port, 'GET', '/metrics', { headers })).status, 200)
    t.equal((await ask(address.port, 'GET', '/metrics', { headers: { host: 'internal' } })).status, 421)
  })

  t.test('requests are counted by method, route and status', async (t) => {
    const cookie = await cookieOf(port, 'ann')
    const created = await ask(port, 'POST', '/v1/posts', { headers: { cookie }, json: { text: 'x' } })
    const id = field(created.body, 'id')
    for (let n = 0; n < 3; n += 1) await ask(port, 'GET', `/v1/posts/${id}?`)
    await ask(port, 'GET', '/v1/posts/no-id')
    await ask(port, 'HEAD', '/v1/posts')
    await ask(port, 'PUT', '/v1/posts')
    // When this request is answered, those before it have been counted.
    await ask(port, 'GET', '/health/live')
    t.equal(await countOf('method="GET",route="/v1/posts/:id",status="200"'), 3)
    t.equal(await countOf('method="GET",route="/v1/posts/:id",status="404"'), 1)
    t.equal(await countOf('method="POST",route="/v1/posts",status="201"'), 1)
    t.equal(await countOf('method="HEAD",route="/v1/posts",status="200"'), 1)
    t.equal(await countOf('method="other",route="/v1/posts",status="405"'), 1)
    t.match(await read(), /_bucket\{le="0\.25",method="GET",route="\/v1\/posts\/:id",status="200"\} \d/)
  })

  t.test('labels never contain text from a request', async (t) => {
    const id = '01890000-0000-7000-8000-000000000000'
    for (let n = 0; n < 5; n += 1) {
      await ask(port, 'GET', `/wild${n}?wild=1`)
      await ask(port, 'GET', `/v1/accounts/wild${n}`)
      await ask(port, 'GET', `/v1/posts/%zzwild${n}`)
      await ask(port, 'PROPFIND', `/wild${n}`)
      await ask(port, 'GET', `/docs/static/wild${n}`)
    }
    await raw(port, 'WILD / HTTP/1.1\r\nHost: x\r\n\r\n')
    await ask(port, 'GET', `/v1/posts/${id}`)
    const text = await read()
    t.notMatch(text, /wild/i)
    t.notMatch(text, id)
    t.notMatch(text, /ann/)
    t.ok((await countOf('method="other",route="unknown",status="404"')) >= 5)
  })

  t.test('a METRICS_PORT in use rejects the start with a StartError', async (t) => {
    const config = await testConfig(connection, { METRICS_PORT: String(metricsAddress.port), LOG_LEVEL: 'silent' })
    const app = await buildApp(config, connection)
    await t.rejects(app.listen({ host: '127.0.0.1', port: 0 }), StartError)
    await app.close()
  })
})

t.test('the writer is measured: batches, commands that wait, and failures by reason', async (t) => {
  const { app, port, lines } = await testServer(t)
  if (!app) return
  const address = lines.map((line) => JSON.parse(line)).find(({ msg }) => msg === 'serving metrics')?.address
  const sampleOf = async (name: string) => {
    const { text } = await ask(address.port, 'GET', '/metrics')
    const [, value] = new RegExp(`^${name.replace(/[{}]/g, '\\$&')} (\\S+)$`, 'm').exec(text) ?? []
    return value === undefined ? undefined : Number(value)
  }
  const cookie = await cookieOf(port, 'ann')
  const write = () => ask(port, 'POST', '/v1/posts', { headers: { cookie }, json: { text: 'x' } })
  await Promise.all(Array.from({ length: 20 }, write))
  t.equal(await sampleOf('rookery_write_batch_commands_sum'), 20)
  t.ok(Number(await sampleOf('rookery_write_batch_duration_seconds_count')) >= 1)
  t.ok(Number(await sampleOf('rookery_write_batch_duration_seconds_sum')) > 0)
  t.equal(await sampleOf('rookery_writes_waiting'), 0)
  t.equal(await sampleOf('rookery_writes_oldest_wait_seconds'), 0)
  t.equal(await sampleOf('rookery_write_conflicts_total'), 0)
  for (const reason of ['overloaded', 'late', 'refused', 'unknown', 'failed'])
    t.equal(await sampleOf(`rookery_write_failures_total{reason="${reason}"}`), 0, reason)
  for (const check of ['database', 'database-user', 'revocations', 'writes'])
    t.equal(await sampleOf(`rookery_ready{check="${check}"}`), 1, check)
})

t.test('refusals, clients that leave, queues, MongoDB and the process are measured', async (t) => {
  const { app, port, lines, db } = await testServer(t, { LIMIT_SIGNUPS_PER_ADDRESS: '1' })
  if (!app) return
  const address = lines.map((line) => JSON.parse(line)).find(({ msg }) => msg === 'serving metrics')?.address
  const read = async () => (await ask(address.port, 'GET', '/metrics')).text
  const sampleOf = (text: string, name: string) =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.slice(name.length + 1),
    )

  await cookieOf(port, 'ann')
  t.equal((await ask(port, 'POST', '/v1/accounts', { json: { username: 'bob', password } })).status, 429)
  await raw(port, 'NOT HTTP\r\n\r\n')
  const leaving = connect(port, '127.0.0.1')
  leaving.write('POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{')
  await eventually(async () => sampleOf(await read(), 'rookery_requests_in_progress') === 1)
  leaving.destroy()
  const left = 'http_request_duration_seconds_count{method="POST",route="/v1/session",status="499"}'
  await eventually(async () => sampleOf(await read(), left) === 1)

  await db.collection('removedPosts').insertOne({})
  const text = await read()
  for (const [name, value] of [
    ['rookery_limit_refusals_total{limit="signups"}', 1],
    ['rookery_requests_in_progress', 0],
    ['rookery_password_hashes{state="running"}', 0],
    ['rookery_password_hashes{state="waiting"}', 0],
    ['rookery_sweeps_pending{kind="posts"}', 1],
    ['rookery_sweeps_pending{kind="accounts"}', 0],
    ['rookery_mongodb_operations_waiting{purpose="requests"}', 0],
    ['rookery_mongodb_operations_waiting{purpose="writer"}', 0],
    [`rookery_build_info{version="${packageJson.version}",node="${process.versions.node}"}`, 1],
  ] as const)
    t.equal(sampleOf(text, name), value, name)
  t.match(text, /^rookery_mongodb_primary\{host="127\.0\.0\.1:\d+"\} 1$/m)
  const seconds = sampleOf(text, 'rookery_mongodb_latency_seconds')
  t.ok(seconds > 0 && seconds < 1, `latency ${seconds}`)
  t.ok(sampleOf(text, 'rookery_process_memory_bytes{process="server"}') > 1e7)
  t.ok(sampleOf(text, 'rookery_event_loop_delay_seconds{process="server",quantile="0.99"}') >= 0)
  t.ok(sampleOf(text, 'rookery_requests_rejected_total{code="validation"}') >= 1)
  await eventually(async () => sampleOf(await read(), 'rookery_revocation_lag_seconds') < 1)
})
