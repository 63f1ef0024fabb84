import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { allVariableNames } from '../../src/config.ts'
import type { Environment } from '../../src/environment/environment.ts'
import { processesWith } from '../database/fixtures/processes.ts'
import { eventually } from '../eventually.ts'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Empty variables count as absent, and take precedence over those of the machine and of a developer's .env. */
const all = (value: '' | undefined) => Object.fromEntries(allVariableNames.map((name) => [name, value]))

type Options = {
  /** the project's root; default: this one */
  folder?: string
  /** whether to read its .env */
  envFile?: boolean
  node?: string
  /** whether `npm start` runs it, in a process group of its own, as in a terminal */
  npm?: boolean
  /** an open file or pipe; default: `out` has it */
  stdout?: number
}

export type Ended = { code: number | null; signal: NodeJS.Signals | null; out: string; error: string }

/** A temporary directory; the teardown waits for processes that still use it. */
export async function freshFolder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'rookery-main-'))
  t.teardown(async () => {
    await eventually(async () => (await processesWith(path)).length === 0)
    await rm(path, { recursive: true, force: true, maxRetries: 3 })
  })
  return path
}

export class ServerProcess {
  out = ''
  error = ''
  readonly child: ChildProcess
  readonly ended: Promise<Ended>

  /** Runs `src/main.ts` as `npm start` does, on free ports unless `env` says otherwise. */
  constructor(t: Test, env: Environment, options: Options = {}) {
    const { folder = root, envFile = false, node = process.execPath, npm = false, stdout = 'pipe' } = options
    const { TEST_MONGOD_BINARY: MONGOD_BINARY } = process.env
    const free = { PORT: '0', METRICS_PORT: '0', MONGOD_BINARY }
    const [file, args] = npm ? ['npm', ['start']] : [node, [join(folder, 'run.mjs'), 'src/main.ts']]
    this.child = spawn(file, args, {
      // Without npm, nothing must depend on the working directory.
      cwd: npm ? folder : tmpdir(),
      detached: npm,
      env: { ...process.env, ...all(envFile ? undefined : ''), ...free, ...env },
      stdio: ['ignore', stdout, 'pipe'],
    })
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.out += chunk.toString()
    })
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.error += chunk.toString()
    })
    this.ended = once(this.child, 'close').then(([code, signal]) => ({
      ...{ code, signal },
      ...{ out: this.out, error: this.error },
    }))
    t.teardown(() => (npm ? this.killGroup('SIGKILL') : this.kill('SIGKILL')))
  }

  /** Resolves with the first match in its output. @throws Error with the output if it exits without one */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.out)
      if (match) return match
      const ended = await Promise.race([
        this.ended,
        once(this.child.stdout ?? this.child, 'data').then(() => undefined),
      ])
      if (ended && !pattern.test(this.out)) throw new Error(`it exited without ${pattern}: ${JSON.stringify(ended)}`)
    }
  }

  /** Resolves with the URL after the last line that a start prints. */
  async ready(): Promise<string> {
    await this.says(/Database {4}/)
    const [, url = ''] = await this.says(/listens on (http:\/\/[^\s"]+)/)
    return url
  }

  /** As a terminal does with Ctrl-C. */
  killGroup(signal: NodeJS.Signals): void {
    const { pid, exitCode, signalCode } = this.child
    if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, signal)
  }

  async kill(signal: NodeJS.Signals): Promise<Ended> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal)
    return this.ended
  }
}

/** Starts a server and waits until it is ready. */
export async function startServer(
  t: Test,
  env: Environment,
  options: Options = {},
): Promise<ServerProcess & { url: string }> {
  const server = new ServerProcess(t, env, options)
  return Object.assign(server, { url: await server.ready() })
}

export const startNpmServer = (t: Test, env: Environment) => startServer(t, env, { npm: true })

/** Whether no process uses the directory any more. */
export const nothingRuns = (folder: string) =>
  eventually(async () => (await processesWith(folder)).length === 0).then(() => true)

/** A loopback port that is in use until the test ends. */
export async function takenPort(t: Test): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('TCP has a port')
  return String(address.port)
}
