import t from 'tap'
import { ask } from '../http/wire.ts'
import { freshFolder, startServer } from '../main/server-process.ts'
import { startCollector } from './collector.ts'

t.test(
  'each of several processes sends its own spans, the last ones when it is replaced and at the shutdown',
  async (t) => {
    const collector = await startCollector(t)
    const server = await startServer(t, {
      DATA_DIR: await freshFolder(t),
      WEB_CONCURRENCY: '2',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
    })
    const port = Number(new URL(server.url).port)
    const sent: string[] = []
    const send = async () => {
      const answer = await ask(port, 'GET', '/v1/posts')
      sent.push(String(answer.headers['x-request-id']))
    }
    for (let n = 0; n < 10; n += 1) await send()
    server.child.kill('SIGHUP')
    await server.says(/all processes are replaced/)
    for (let n = 0; n < 10; n += 1) await send()
    t.match(await server.kill('SIGTERM'), { code: 0, error: '' })
    const spans = collector.spans().filter(({ name }) => name === 'GET /v1/posts')
    t.same(spans.map(({ attributes }) => `${attributes['http.response.header.x-request-id']}`).sort(), sent.sort())
    t.equal(new Set(spans.map(({ resource }) => resource['service.instance.id'])).size, 4, 'of each process')
  },
)

t.test('a collector that never answers delays the exit of several processes by a few seconds only', async (t) => {
  const collector = await startCollector(t, 'hang')
  const server = await startServer(t, {
    DATA_DIR: await freshFolder(t),
    WEB_CONCURRENCY: '2',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
  })
  await ask(Number(new URL(server.url).port), 'GET', '/v1/posts')
  const ended = await server.kill('SIGTERM')
  // After ten seconds the primary would exit with 1.
  t.match(ended, { code: 0, signal: null, error: '' })
  t.ok(collector.held.length > 0)
})
