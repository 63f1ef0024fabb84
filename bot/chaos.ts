import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChaosOptions, help, readChaosOptions } from './chaos-options.ts'
import { listChildProcesses } from './child-processes.ts'
import { printLine, runCommand } from './cli.ts'
import {
  forwardSignals,
  isRunning,
  type LocalServer,
  spawnProgram,
  spawnServer,
  waitUntilReady,
  withLocalServer,
} from './spawn-server.ts'

// 'writer' and 'api' are the role arguments of the server's worker processes.
const killTargets = ['mongod', 'server', 'writer', 'api'] as const
type KillTarget = (typeof killTargets)[number]

type RoundResult = { outcome: 'passed' } | { outcome: 'failed'; reason: string }

const signals = forwardSignals()

await runCommand(async () => {
  const options = readChaosOptions(process.argv.slice(2))
  if (!options.help) return withLocalServer('chaos', (directory) => prepare(directory, options), run(options))
  process.stdout.write(help)
  return 0
})

async function prepare(directory: string, { processes }: ChaosOptions): Promise<Record<string, string>> {
  // A killed server leaves temporary files behind: here they are deleted with the data directory.
  const TMPDIR = join(directory, 'tmp')
  await mkdir(TMPDIR)
  return { TMPDIR, WEB_CONCURRENCY: String(processes), LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn' }
}

function run({ rounds, processes, pause, botArgs }: ChaosOptions) {
  const targets = processes === 1 ? killTargets.slice(0, 2) : killTargets
  return async (server: LocalServer): Promise<number> => {
    let passed = 0
    if (!(await waitUntilReady(server))) printLine('The server did not start.')
    else {
      for (let round = 1; round <= rounds && !signals.interrupted; round += 1) {
        const result = await runRound(server, botArgs, pause * 1_000, targets)
        if (result.outcome === 'passed') passed += 1
        printLine(
          `Round ${round} of ${rounds} ${result.outcome}${result.outcome === 'failed' ? `: ${result.reason}` : ''}`,
        )
      }
      printLine(`${passed} of ${rounds} rounds passed`)
    }
    if (signals.interrupted) return 130
    return passed === rounds ? 0 : 1
  }
}

async function runRound(
  server: LocalServer,
  botArgs: string[],
  pauseMs: number,
  targets: readonly KillTarget[],
): Promise<RoundResult> {
  const bot = spawnProgram('bot', ['bot/index.ts', ...botArgs, '--url', server.url], {})
  signals.activeChild = bot
  const botEnded = new AbortController()
  const [code, kills] = await Promise.all([
    bot.ended.finally(() => botEnded.abort()),
    killInRotation(server, targets, pauseMs, botEnded.signal).catch((error: Error) => {
      bot.child.kill('SIGTERM')
      return error
    }),
  ])
  if (kills instanceof Error) return { outcome: 'failed', reason: kills.message }
  printLine(targets.map((target) => `${target} killed ${kills.get(target) ?? 0} times`).join(', '))
  if (code !== 0) return { outcome: 'failed', reason: `the bot exited with ${code}` }
  const recount = spawnProgram('recount', ['run.mjs', 'src/cli/reconcile.ts'], server.settings)
  signals.activeChild = recount
  const drift = await recount.ended
  return drift === 0 ? { outcome: 'passed' } : { outcome: 'failed', reason: `the recount exited with ${drift}` }
}

/** Kills one target after the other until `stop` aborts. @throws Error when the server does not recover */
async function killInRotation(
  server: LocalServer,
  targets: readonly KillTarget[],
  pauseMs: number,
  stop: AbortSignal,
): Promise<Map<KillTarget, number>> {
  const kills = new Map<KillTarget, number>()
  for (let n = 0; ; n += 1) {
    await sleep(pauseMs, undefined, { signal: stop }).catch(() => undefined)
    const target = targets[n % targets.length]
    if (stop.aborted || target === undefined) return kills
    if (await kill(server, target)) kills.set(target, (kills.get(target) ?? 0) + 1)
    if (!isRunning(server.program)) server.program = spawnServer(server.settings)
    if (!(await waitUntilReady(server))) throw new Error(`the server did not recover after the kill of ${target}`)
  }
}

/** Sends SIGKILL. Returns false when no such process runs at the moment. */
async function kill({ directory, program }: LocalServer, target: KillTarget): Promise<boolean> {
  const pid = await pidOf(target, directory, program.child.pid)
  if (pid === undefined) return false
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // mongod's lock file outlives its process for a moment.
    return false
  }
  if (target === 'server') await program.ended
  return true
}

async function pidOf(
  target: KillTarget,
  directory: string,
  serverPid: number | undefined,
): Promise<number | undefined> {
  if (target === 'server' || serverPid === undefined) return serverPid
  if (target === 'mongod') {
    const lock = await readFile(join(directory, 'mongod', 'data', 'mongod.lock'), 'utf8').catch(() => '')
    return Number(lock) || undefined
  }
  const workers = (await listChildProcesses(serverPid)).filter(({ command }) => command.endsWith(`worker.ts ${target}`))
  return workers[Math.floor(Math.random() * workers.length)]?.pid
}
