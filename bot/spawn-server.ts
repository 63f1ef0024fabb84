import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import got from 'got'
import { allVariableNames } from '../src/config.ts'
import { onShutdownSignal, type ShutdownSignal } from '../src/shutdown-signal.ts'
import { temporaryFolder } from '../src/temporary-folder.ts'

const root = join(import.meta.dirname, '..')
const readyTimeoutMs = 300_000
const readyRequestTimeoutMs = 5_000

/** `ended` resolves to the exit code, or to null when a signal ended the process. */
export type ChildProgram = { child: ChildProcess; ended: Promise<number | null> }

/** Prints each line after a name, shares the terminal of this process, or goes to an open file. */
export type Output = { name: string } | 'inherit' | number

/** `program` is replaced when the server is restarted on the same `directory`. */
export type LocalServer = {
  directory: string
  url: string
  settings: Record<string, string>
  output: Output
  program: ChildProgram
}

/** Prints a line with the name of the program that it comes from. */
export function printLineOf(name: string, line: string): void {
  const prefix = styleText(name === 'bot' ? 'cyan' : 'gray', `${name.padEnd(6)} | `, { stream: process.stdout })
  process.stdout.write(`${prefix}${line}\n`)
}

/** Spawns one of the project's programs. */
export function spawnProgram(output: Output, args: string[], settings: Record<string, string>): ChildProgram {
  const stdio = typeof output === 'object' ? 'pipe' : output
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...isolatedEnvironment(), ...settings },
    stdio: ['ignore', stdio, stdio],
    // Ctrl-C on a terminal must not reach the server before the bot has verified the acknowledged writes.
    detached: output !== 'inherit',
  })
  if (typeof output === 'object')
    for (const stream of [child.stdout, child.stderr])
      if (stream) createInterface(stream).on('line', (line) => printLineOf(output.name, line))
  // 'exit' may fire before the last line of output, 'close' does not.
  return { child, ended: once(child, 'close').then(([code]: (number | null)[]) => code ?? null) }
}

export const spawnServer = ({ settings, output }: Pick<LocalServer, 'settings' | 'output'>): ChildProgram =>
  spawnProgram(output, ['run.mjs', 'src/main.ts'], settings)

/** Runs `use` with a temporary directory, and deletes it. */
export async function withTemporaryDirectory<T>(name: string, use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await temporaryFolder(`rookery-${name}-`)
  try {
    return await use(directory)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Runs `use` with a server on free ports that keeps its data in `directory`. */
export async function withLocalServer<T>(
  directory: string,
  additionalSettings: Record<string, string>,
  use: (server: LocalServer) => Promise<T>,
  output: Output = { name: 'server' },
): Promise<T> {
  const [port, metricsPort] = await findFreePorts()
  const settings = {
    ...{ DATA_DIR: directory, HOST: '127.0.0.1', PORT: String(port), METRICS_PORT: String(metricsPort) },
    ...additionalSettings,
  }
  const program = spawnServer({ settings, output })
  const server = { directory, url: `http://127.0.0.1:${port}`, settings, output, program }
  try {
    return await use(server)
  } finally {
    server.program.child.kill('SIGTERM')
    await server.program.ended
  }
}

/** Polls until the server and its database are ready. Resolves to false when it exits first or needs more than 300 s. */
export async function waitUntilReady({ url, program }: LocalServer): Promise<boolean> {
  const deadline = performance.now() + readyTimeoutMs
  while (isRunning(program) && performance.now() < deadline) {
    if ((await isOk(`${url}/health/ready`)) && (await isOk(`${url}/health/database`))) return true
    await sleep(100)
  }
  return false
}

async function isOk(url: string): Promise<boolean> {
  const response = await got(url, {
    retry: { limit: 0 },
    throwHttpErrors: false,
    timeout: { request: readyRequestTimeoutMs },
  }).catch(() => null)
  return response?.statusCode === 200
}

export function isRunning({ child }: ChildProgram): boolean {
  return child.exitCode === null && child.signalCode === null
}

/**
 * Forwards termination signals to `activeChild`: children run in their own process groups and receive none. With
 * `untilUnread`, a reader of the output that leaves (`| head`) ends it, too.
 */
export function forwardSignals({ untilUnread = false } = {}) {
  const state: { interrupted: ShutdownSignal | null; activeChild: ChildProgram | null } = {
    interrupted: null,
    activeChild: null,
  }
  const stop = (signal: ShutdownSignal) => {
    state.interrupted = signal
    // A server takes SIGHUP for the order to read its secrets again.
    state.activeChild?.child.kill(signal === 'SIGHUP' ? 'SIGTERM' : signal)
  }
  onShutdownSignal(stop, stop, ['SIGINT', 'SIGTERM', 'SIGHUP'])
  // Every later write fails in the same way: only the first one is news.
  if (untilUnread)
    process.stdout.on('error', () => {
      if (!state.interrupted) stop('SIGTERM')
    })
  return state
}

/** Empties every variable that could lead the server to another database or port; an empty one also hides `.env`. */
function isolatedEnvironment(): NodeJS.ProcessEnv {
  const kept = new Set(['MONGOD_BINARY', 'LOG_LEVEL', 'BCRYPT_COST', 'WEB_CONCURRENCY'])
  const emptied = allVariableNames.filter((name) => !kept.has(name))
  return { ...process.env, ...Object.fromEntries(emptied.map((name) => [name, ''])) }
}

async function findFreePorts(): Promise<[number, number]> {
  // Both sockets are open at the same time, so that the two ports differ.
  const servers = [createServer(), createServer()]
  for (const server of servers) await once(server.listen(0, '127.0.0.1'), 'listening')
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address ? address.port : 0
  })
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return [ports[0] ?? 0, ports[1] ?? 0]
}
