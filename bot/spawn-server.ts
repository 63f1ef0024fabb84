import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import got from 'got'
import { variableNames } from '../src/config.ts'

const root = join(import.meta.dirname, '..')
const readyTimeoutMs = 300_000

/** A child process; `ended` is its exit code, null when a signal ended it. */
export type ChildProgram = { child: ChildProcess; ended: Promise<number | null> }

/** Runs one of the project's programs, each line of its output behind a name. */
export function spawnProgram(name: string, args: string[], settings: Record<string, string>): ChildProgram {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...isolatedEnvironment(), ...settings },
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

/** Where a server of our own is, and with what settings it is started there. */
export async function allocateServer(directory: string) {
  const [port, metricsPort] = await freePorts()
  const settings = { DATA_DIR: directory, HOST: '127.0.0.1', PORT: String(port), METRICS_PORT: String(metricsPort) }
  return { url: `http://127.0.0.1:${port}`, settings }
}

export const spawnServer = (settings: Record<string, string>): ChildProgram =>
  spawnProgram('server', ['--import', './require-node.mjs', 'src/main.ts'], settings)

/** Waits until a server is ready; false when it ends before, or takes too long. */
export async function waitUntilReady(url: string, server: ChildProgram): Promise<boolean> {
  const until = performance.now() + readyTimeoutMs
  while (isRunning(server) && performance.now() < until) {
    const answer = await got(`${url}/health/ready`, { retry: { limit: 0 }, throwHttpErrors: false }).catch(() => null)
    if (answer?.statusCode === 200) return true
    await sleep(100)
  }
  return false
}

export function isRunning({ child }: ChildProgram): boolean {
  return child.exitCode === null && child.signalCode === null
}

/**
 * Hears the signals that end a terminal's program, and passes them on to what is at work at the moment; `interrupted`
 * is true from then on. A child is in a process group of its own and hears none by itself.
 */
export function forwardSignals() {
  const state: { interrupted: boolean; activeChild: ChildProgram | null } = { interrupted: false, activeChild: null }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      state.interrupted = true
      state.activeChild?.child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal)
    })
  return state
}

/** The environment with what would lead the server to another database or other ports emptied, which hides `.env` as well. */
function isolatedEnvironment(): NodeJS.ProcessEnv {
  const kept = new Set(['MONGOD_BINARY', 'LOG_LEVEL', 'BCRYPT_COST', 'WEB_CONCURRENCY'])
  const emptied = variableNames.filter((name) => !kept.has(name)).flatMap((name) => [name, `${name}_FILE`])
  return { ...process.env, ...Object.fromEntries(emptied.map((name) => [name, ''])) }
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
