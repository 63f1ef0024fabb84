import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import {
  type LocalServer,
  spawnProgram,
  waitUntilReady,
  withLocalServer,
  withTemporaryDirectory,
} from '../../bot/spawn-server.ts'
import { plot, type Sample } from './plot.ts'

const help = `Usage: npm run bench:memory -- [--minutes <n>] [--robots <n>] [--write]

Lets robots (default 50) use a server for some minutes (default 60), and prints its resident memory and heap in each quarter of
the time. --write draws both into docs/memory.svg. Exit code: 0 the robots' ledger agrees, and in the last quarter the
least heap is at most 1.1 times that of the second, otherwise 1.
`
const sampleEveryMs = 5_000
const maxGrowth = 1.1

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    robots: { type: 'string', default: '50' },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(help)
else
  process.exitCode = await withTemporaryDirectory('memory', (directory) =>
    withLocalServer(directory, { LOG_LEVEL: 'silent', BCRYPT_COST: '4' }, bench),
  )

async function bench(server: LocalServer): Promise<number> {
  if (!(await waitUntilReady(server))) throw new Error('The server did not start.')
  const size = ['--robots', values.robots, '--for', `${values.minutes}m`, '--url', server.url]
  const bot = spawnProgram({ name: 'bot' }, ['bot/index.ts', ...size], {})
  const ended = new AbortController()
  const sampling = sampleUntil(server, ended.signal)
  const code = await bot.ended
  ended.abort()
  const samples = await sampling
  const quarters = [0, 1, 2, 3].map((n) => quarterOf(samples, n))
  const mb = (bytes: number) => `${Math.round(bytes / 1e6)} MB`
  for (const [n, { rss, heap }] of quarters.entries())
    process.stdout.write(`quarter ${n + 1}: resident ${mb(rss)} at most, heap ${mb(heap)} at least\n`)
  const [, second, , last] = quarters
  const isFlat = second !== undefined && last !== undefined && last.heap <= second.heap * maxGrowth
  if (!isFlat) process.stdout.write('The heap grew.\n')
  if (values.write) {
    const title = `Memory of the server while ${values.robots} robots used it for ${values.minutes} minutes`
    await writeFile(join(import.meta.dirname, '../../docs/memory.svg'), `${plot(samples, title)}\n`)
  }
  return code === 0 && isFlat ? 0 : 1
}

/** Garbage comes and goes: the least heap of a quarter is what was in use. */
function quarterOf(samples: readonly Sample[], n: number): { rss: number; heap: number } {
  const quarter = samples.slice(Math.floor((samples.length * n) / 4), Math.floor((samples.length * (n + 1)) / 4))
  return { rss: Math.max(...quarter.map(({ rss }) => rss)), heap: Math.min(...quarter.map(({ heap }) => heap)) }
}

async function sampleUntil({ settings }: LocalServer, stop: AbortSignal): Promise<Sample[]> {
  const samples: Sample[] = []
  const startedAt = performance.now()
  while (!stop.aborted) {
    const metrics = await (await fetch(`http://127.0.0.1:${settings.METRICS_PORT}/metrics`)).text()
    const metric = (name: string) => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(metrics)?.[1])
    samples.push({
      seconds: (performance.now() - startedAt) / 1_000,
      rss: metric('process_resident_memory_bytes'),
      heap: metric('nodejs_heap_size_used_bytes'),
    })
    await sleep(sampleEveryMs, undefined, { signal: stop }).catch(() => undefined)
  }
  return samples
}
