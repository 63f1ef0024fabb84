import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import got from 'got'
import { variableNames } from '../src/config.ts'

const root = join(import.meta.dirname, '..')
const startsWithin = 300_000

/** A child process; `ended` is its exit code, null when a signal ended it. */
type Program = { child: ChildProcess; ended: Promise<number | null> }

process.exitCode = await demo(process.argv.slice(2))

/** A server on a throwaway database and free ports, the bot against it, the output of both. Returns the bot's exit code. */
async function demo(botArgs: string[]): Promise<number> {
  let atWork: Program | null = null
  let interrupted = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      interrupted = true
      atWork?.child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal)
    })

  const directory = await mkdtemp(join(tmpdir(), 'rookery-demo-'))
  const [port, metricsPort] = await freePorts()
  const url = `http://127.0.0.1:${port}`
  const settings = { DATA_DIR: directory, HOST: '127.0.0.1', PORT: String(port), METRICS_PORT: String(metricsPort) }
  const server = start('server', ['--import', './require-node.mjs', 'src/main.ts'], settings)
  atWork = server
  try {
    const ready = await isReady(url, server)
    if (interrupted) return 130
    if (!ready) return say('The server did not start.', 1)
    atWork = start('bot', ['bot/index.ts', ...botArgs, '--url', url], {})
    return (await atWork.ended) ?? 1
  } finally {
    server.child.kill('SIGTERM')
    await server.ended
    await rm(directory, { recursive: true, force: true })
  }
}

function start(name: string, args: string[], settings: Record<string, string>): Program {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...surroundings(), ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C on a terminal must not reach the server before the bot has checked what it acknowledged.
    detached: true,
  })
  const prefix = styleText(name === 'bot' ? 'cyan' : 'gray', `${name.padEnd(6)} | `, { stream: process.stdout })
  for (const stream of [child.stdout, child.stderr])
    if (stream) createInterface(stream).on('line', (line) => process.stdout.write(`${prefix}${line}\n`))
  // Only 'close' comes after the last line of output.
  return { child, ended: once(child, 'close').then(([code]: (number | null)[]) => code ?? null) }
}

/** The environment with what would lead the server to another database or other ports emptied, which hides `.env` as well. */
function surroundings(): NodeJS.ProcessEnv {
  const kept = new Set(['MONGOD_BINARY', 'LOG_LEVEL', 'BCRYPT_COST'])
  const emptied = variableNames.filter((name) => !kept.has(name)).flatMap((name) => [name, `${name}_FILE`])
  return { ...process.env, ...Object.fromEntries(emptied.map((name) => [name, ''])) }
}

async function isReady(url: string, server: Program): Promise<boolean> {
  const until = performance.now() + startsWithin
  while (isRunning(server) && performance.now() < until) {
    const answer = await got(`${url}/health/ready`, { retry: { limit: 0 }, throwHttpErrors: false }).catch(() => null)
    if (answer?.statusCode === 200) return true
    await sleep(100)
  }
  return false
}

function isRunning({ child }: Program): boolean {
  return child.exitCode === null && child.signalCode === null
}

/** Two ports that are free now, held at the same time so that they differ. */
async function freePorts(): Promise<[number, number]> {
  const servers = [createServer(), createServer()]
  for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening')
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address ? address.port : 0
  })
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return [ports[0] ?? 0, ports[1] ?? 0]
}

function say(line: string, exitCode: number): number {
  process.stderr.write(`${line}\n`)
  return exitCode
}
