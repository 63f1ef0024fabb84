import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { temporaryFolder } from '../../src/temporary-folder.ts'
import { withMongod } from '../mongod.ts'

const rounds = 5
const root = join(import.meta.dirname, '../..')
const json = { 'content-type': 'application/json' }

const help = `Usage: npm run bench:start

Prints how long the server takes from its spawning to "listens on", with a database that runs and with the embedded one, in
milliseconds and as a multiple of what Node takes to start and exit; and the first sign-up beside the second. Medians of
${rounds}. The exit code does not depend on them.
`
const times = new Map<string, number[]>()
const note = (name: string, ms: number) => times.set(name, [...(times.get(name) ?? []), ms])
const median = (all: readonly number[]) => all.toSorted((a, b) => a - b)[all.length >> 1] ?? Number.NaN

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function startNode(): Promise<void> {
  const start = performance.now()
  await once(spawn(process.execPath, ['--eval', ''], { stdio: 'ignore' }), 'close')
  note('Node', performance.now() - start)
}

async function signUp(url: string, name: string): Promise<void> {
  const start = performance.now()
  const body = JSON.stringify({ username: `start_${Date.now()}`, password: 'vexed quartz lynx' })
  const response = await fetch(`${url}/v1/accounts`, { method: 'POST', headers: json, body })
  await response.arrayBuffer()
  if (response.status !== 201) throw new Error(`a sign-up was answered ${response.status}`)
  note(name, performance.now() - start)
}

async function startServer(name: string, settings: Record<string, string>): Promise<void> {
  const port = await freePort()
  const env = { ...process.env, HOST: '127.0.0.1', PORT: String(port), METRICS_PORT: '0', ...settings }
  const start = performance.now()
  const child = spawn(process.execPath, ['run.mjs', 'src/main.ts'], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const lines = createInterface(child.stdout)
  const listens = new Promise<void>((resolve) => lines.on('line', (line) => line.includes('listens on') && resolve()))
  const failed = ended.then(() => Promise.reject(new Error('the server did not start')))
  // Awaited only while it starts.
  failed.catch(() => undefined)
  await Promise.race([listens, failed])
  note(name, performance.now() - start)
  const url = `http://127.0.0.1:${port}`
  await signUp(url, 'first sign-up')
  await signUp(url, 'second sign-up')
  child.kill('SIGINT')
  await ended
}

const { values } = parseArgs({ options: { help: { type: 'boolean', default: false } } })
if (values.help) process.stdout.write(help)
else await bench()

async function bench(): Promise<void> {
  const directory = await temporaryFolder('rookery-bench-start-')
  try {
    await withMongod(async ({ uri, username, password }) => {
      const running = {
        MONGODB_URI: uri,
        DB_USER: username,
        DB_PASSWORD: password,
        JWT_SIGN_KEY: randomBytes(32).toString('hex'),
      }
      const embedded = { MONGODB_URI: '', DATA_DIR: directory }
      // The first start fills the directory and the cache of compiled code.
      for (const settings of [running, embedded]) await startServer('unused', settings)
      for (const name of ['first sign-up', 'second sign-up']) times.delete(name)
      for (let round = 0; round < rounds; round += 1) {
        await startNode()
        await startServer('with a database that runs', running)
        await startServer('with the embedded database', embedded)
      }
    })
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 })
  }
  const base = median(times.get('Node') ?? [])
  for (const [name, all] of times) {
    if (name === 'unused') continue
    const ms = median(all)
    process.stdout.write(`${name.padEnd(27)} ${ms.toFixed(0).padStart(6)} ms  ${(ms / base).toFixed(1)} × Node\n`)
  }
}
