import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { testServer } from '../helper.ts'
import { ask } from '../http/wire.ts'
import { startCollector } from './collector.ts'

async function answersAll(t: Test, port: number): Promise<void> {
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(port, 'GET', '/v1/posts')))
  t.ok(answers.every(({ status }) => status === 200))
}

t.test('a collector that never answers delays no request, and a shutdown less than the exporter would', async (t) => {
  const collector = await startCollector(t, 'hang')
  const { app, port, lines } = await testServer(t, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint })
  await answersAll(t, port)
  await app.close()
  t.ok(collector.held.length > 0, 'it got a batch')
  // The exporter, which waits for ten seconds, had not given up by then.
  t.notMatch(lines.join(''), /spans could not be exported/)
  // An answer that comes late does no harm.
  const { held } = collector
  await Promise.all(held.map((response) => new Promise<void>((resolve) => response.end('{}', resolve))))
})

t.test('a collector that refuses spans is reported with the reason', async (t) => {
  const collector = await startCollector(t, 'refuse')
  const { app, port, lines } = await testServer(t, { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint })
  await answersAll(t, port)
  await app.close()
  const reports = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'spans could not be exported')
  t.match(reports, [{ level: 40, failures: Number, reason: 'Bad Request' }], 'once in a minute')
})

t.test('where no collector listens, requests are answered and the shutdown ends', async (t) => {
  const closed = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => closed.once('listening', resolve))
  const { port: noPort } = closed.address() as AddressInfo // TCP always
  await new Promise((resolve) => closed.close(resolve))
  const { app, port } = await testServer(t, { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${noPort}` })
  await answersAll(t, port)
  await app.close()
})
