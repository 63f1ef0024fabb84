import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { eventually } from '../eventually.ts'
import { ask } from '../http/wire.ts'
import { freshFolder, startServer } from '../main/server-process.ts'

const pattern = /^http_request_duration_seconds_count\{method="GET",route="\/v1\/posts",status="200"\} (\d+)$/m

t.test('counters do not fall when processes are replaced or killed', async (t) => {
  const server = await startServer(t, {
    DATA_DIR: await freshFolder(t),
    WEB_CONCURRENCY: '2',
    METRICS_PORT: '0',
    LOG_LEVEL: 'debug',
  })
  const port = Number(new URL(server.url).port)
  const [, metricsPort] = await server.says(/serving metrics[\s\S]*?port"?: (\d+)/)
  const count = async () => Number(pattern.exec((await ask(Number(metricsPort), 'GET', '/metrics')).text)?.[1] ?? 0)
  let sent = 0
  const send = async (requests: number) => {
    for (let n = 0; n < requests; n += 1) if ((await ask(port, 'GET', '/v1/posts')).status === 200) sent += 1
  }
  await send(20)
  await eventually(async () => (await count()) === sent)

  const seen: number[] = []
  let isDone = false
  const scraping = (async () => {
    for (; !isDone; await sleep(50)) seen.push(await count())
  })()
  server.child.kill('SIGHUP')
  await send(20)
  await server.says(/all processes are replaced/)
  await send(20)
  await eventually(async () => (await count()) === sent)

  const before = await count()
  const [victim] = [...server.out.matchAll(/Process (\d+) listens/g)].slice(-1)
  process.kill(Number(victim?.[1]), 'SIGKILL')
  await server.says(/worker exited unexpectedly/)
  await eventually(async () => (await ask(port, 'GET', '/health/ready')).status === 200)
  await send(20)
  await eventually(async () => (await count()) === sent)
  isDone = true
  await scraping
  t.ok(before <= sent && seen.length > 0)
  t.same(
    seen,
    seen.toSorted((a, b) => a - b),
    'no scrape shows less than the one before',
  )
})
