import t, { type Test } from 'tap'
import { runAtRate } from '../../bench/load/rate.ts'
import { rawServer } from './raw-server.ts'

const response = (status: string) => `HTTP/1.1 ${status}\r\ncontent-length: 2\r\n\r\n{}`

/** A server that answers its nth request with `answer(n)`. */
async function listen(t: Test, answer: (n: number) => Promise<string>): Promise<number> {
  let requests = 0
  return rawServer(t, async (socket) => socket.write(await answer(requests++)))
}

const plans = [{ templates: ['GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'], start: 0 }]

t.test('a server that stalls is charged for every request that it delayed', async (t) => {
  const stallMs = 300
  const port = await listen(t, async (n) => {
    if (n === 0) await new Promise((resolve) => setTimeout(resolve, stallMs))
    return response('200 OK')
  })
  const { done, latenciesMs } = await runAtRate({ port, durationMs: 200, plans, values: [], done: [7] }, 100)
  t.same(done, [27], '20 requests, after 7 earlier ones')
  t.equal(latenciesMs.length, 20)
  // One was due every 10 ms, and none was sent before the first was answered. Timers can be early by 1 ms.
  for (const [n, latencyMs] of latenciesMs.entries()) t.ok(latencyMs >= stallMs - 10 * n - 2, `${n}: ${latencyMs}`)
})

t.test('a refusal has no latency, and is told with its connection and number', async (t) => {
  const port = await listen(t, async (n) => response(n === 1 ? '503 Service Unavailable' : '200 OK'))
  const { refused, latenciesMs } = await runAtRate({ port, durationMs: 30, plans, values: [], done: [0] }, 100)
  t.same(refused, [{ connection: 0, request: 1, status: 503 }])
  t.equal(latenciesMs.length, 2)
})
