import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Connection } from '../../src/database/connection.ts'
import { withMongod } from '../mongod.ts'
import { startProgram } from '../programs.ts'
import { startServer } from '../servers/start.ts'
import type { PostTimes, ReadersReport, ReadersRequest } from './readers.ts'

const help = `Usage: npm run bench:stream -- [--streams <n>] [--rate <n>] [--seconds <n>] [--timeline]

Opens streams (default 1000) of one server process, creates posts at a fixed rate (default 20 a second) for some seconds
(default 20), and prints the times from the request of a post and from its answer to its event, over all streams. The commit
lies between the two. With --timeline the streams are of the timeline of the account that writes. Exit code: 0 no stream
ended or missed a post and p99 from the request was under 250 ms, otherwise 1.
`
const maxP99Ms = 250
const json = { 'content-type': 'application/json' }

const print = (line: string) => void process.stdout.write(`${line}\n`)

const { values } = parseArgs({
  options: {
    streams: { type: 'string', default: '1000' },
    rate: { type: 'string', default: '20' },
    seconds: { type: 'string', default: '20' },
    timeline: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(help)
else process.exitCode = await withMongod(bench)

async function signUp(url: string): Promise<string> {
  const body = JSON.stringify({ username: 'stream_bench', password: 'vexed quartz lynx' })
  const response = await fetch(`${url}/v1/accounts`, { method: 'POST', headers: json, body })
  return response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';', 1)[0])
    .join('; ')
}

async function residentMb(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1_024)
}

async function bench(connection: Connection): Promise<number> {
  const [streams, rate, seconds] = [Number(values.streams), Number(values.rate), Number(values.seconds)]
  const server = await startServer('rookery', connection, { bcryptCost: 4, processes: 1, profileDir: undefined })
  const readers = startProgram<ReadersRequest, ReadersReport>(fileURLToPath(new URL('readers.ts', import.meta.url)))
  try {
    const url = `http://127.0.0.1:${server.port}`
    const cookie = await signUp(url)
    const path = values.timeline ? '/v1/stream?scope=timeline' : '/v1/stream'
    const before = await residentMb(server.pid)
    await readers.request({ kind: 'open', url: `${url}${path}`, streams, cookie: values.timeline ? cookie : undefined })

    const startedUs = await server.cpuUs()
    const start = performance.now()
    const writes: Promise<PostTimes>[] = []
    for (let n = 0; n < rate * seconds; n += 1) {
      await sleep(Math.max(0, start + (n * 1_000) / rate - performance.now()))
      writes.push(createPost(url, cookie, n))
    }
    const posts = await Promise.all(writes)
    const cores = ((await server.cpuUs()) - startedUs) / 1_000 / (performance.now() - start)
    await sleep(2_000)
    const { open, events, ended, ...times } = await readers.request({ kind: 'report', posts })
    const expected = streams * rate * seconds
    print(`${open} streams open, ${ended} ended, ${events} of ${expected} events`)
    for (const [name, { p50, p99, max }] of Object.entries({
      'request to event': times.fromRequest,
      'answer to event': times.fromAnswer,
    })) {
      print(`${name.padEnd(16)}  p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, max ${max.toFixed(0)} ms`)
    }
    print(`server            ${cores.toFixed(2)} cores, ${before} MB before, ${await residentMb(server.pid)} MB after`)
    return ended === 0 && events === expected && times.fromRequest.p99 < maxP99Ms ? 0 : 1
  } finally {
    await readers.stop()
    await server.stop()
  }
}

async function createPost(url: string, cookie: string, n: number): Promise<PostTimes> {
  const sentAt = Date.now()
  const body = JSON.stringify({ text: `post ${n}` })
  const response = await fetch(`${url}/v1/posts`, { method: 'POST', headers: { ...json, cookie }, body })
  if (response.status !== 201) throw new Error(`creating a post answered ${response.status}`)
  await response.arrayBuffer()
  return { sentAt, answeredAt: Date.now() }
}
