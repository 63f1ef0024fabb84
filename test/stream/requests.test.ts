import t from 'tap'
import { eventually } from '../eventually.ts'
import { testServer } from '../helper.ts'
import { openStream } from './event-stream.ts'

t.test('requests for a stream are refused with 400, 401, 405 or 429, and HEAD is answered', async (t) => {
  const { url, port } = await testServer(t, { LIMIT_STREAMS_PER_ADDRESS: '1' })
  const get = (path: string, headers = {}) => fetch(`${url}${path}`, { headers })
  t.match(await (await get('/v1/stream', { 'last-event-id': 'nonsense' })).json(), {
    status: 400,
    errors: [{ pointer: '/headers/last-event-id' }],
  })
  t.match(await (await get('/v1/stream?scope=all')).json(), { status: 400, errors: [{ pointer: '/query/scope' }] })
  t.equal((await get('/v1/stream?scope=timeline', { 'last-event-id': 'x' })).status, 401, 'before the 400')
  const head = await fetch(`${url}/v1/stream`, { method: 'HEAD' })
  t.match([head.status, head.headers.get('content-type')], [200, 'text/event-stream; charset=utf-8'])
  t.equal((await fetch(`${url}/v1/stream`, { method: 'POST' })).status, 405)

  const invalid = await openStream(t, url, { headers: { cookie: 'session=stale' } })
  t.match(invalid, { status: 200, headers: { 'rookery-session': 'invalid' } })
  const refused = await get('/v1/stream')
  t.match(await refused.json(), { status: 429, code: 'rate-limited', detail: /At most 1 streams/ })
  t.match(refused.headers.get('retry-after'), /^\d+$/)
  t.match(refused.headers.get('ratelimit-policy'), /^"streams-by-address";q=1/)
  invalid.close()
  await eventually(async () => {
    const next = await openStream(t, `http://127.0.0.1:${port}`)
    next.close()
    return next.status === 200
  })
})

t.test('draining ends streams, and a new one at once', async (t) => {
  const { app, url } = await testServer(t, { DRAIN_SECONDS: '1' })
  const stream = await openStream(t, url)
  const drained = app.drain()
  const late = await openStream(t, url, { headers: { 'last-event-id': stream.lastId } })
  t.match(late, { status: 200, headers: { connection: 'close' }, lastId: stream.lastId })
  await eventually(() => stream.hasEnded && late.hasEnded)
  t.equal(await drained, 0, 'nothing was cut off')
})
