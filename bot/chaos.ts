import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChaosOptions, help, readChaosOptions } from './chaos-options.ts'
import { childrenOf } from './children.ts'
import { BadOptions } from './options.ts'
import { isReady, isRunning, ownServer, type Program, passOnSignals, start, startServer } from './own-server.ts'

/** A server that is killed and started again on the same data. */
type Own = { directory: string; url: string; settings: Record<string, string>; server: Program }

const victims = ['mongod', 'server', 'writer', 'api'] as const
type Victim = (typeof victims)[number]

const signals = passOnSignals()

try {
  const options = readChaosOptions(process.argv.slice(2))
  if (options.help) process.stdout.write(help)
  else process.exitCode = await chaos(options)
} catch (error) {
  if (!(error instanceof BadOptions)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 2
}

async function chaos({ rounds, processes, pause, botArgs }: ChaosOptions): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'rookery-chaos-'))
  const { url, settings } = await ownServer(directory)
  // What a killed server leaves in the folder for temporary files goes with the rest.
  const TMPDIR = join(directory, 'tmp')
  await mkdir(TMPDIR)
  const all = { ...settings, TMPDIR, WEB_CONCURRENCY: String(processes), LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn' }
  const own: Own = { directory, url, settings: all, server: startServer(all) }
  const turns = processes === 1 ? victims.slice(0, 2) : victims
  try {
    let passed = 0
    if (!(await isReady(url, own.server))) say('The server did not start.')
    else {
      for (let round = 1; round <= rounds && !signals.interrupted; round += 1) {
        const fault = await oneRound(own, botArgs, pause * 1_000, turns)
        say(`Round ${round} of ${rounds} ${fault === null ? 'passed' : `failed: ${fault}`}`)
        if (fault === null) passed += 1
      }
      say(`${passed} of ${rounds} rounds passed`)
    }
    if (signals.interrupted) return 130
    return passed === rounds ? 0 : 1
  } finally {
    own.server.child.kill('SIGTERM')
    await own.server.ended
    await rm(directory, { recursive: true, force: true })
  }
}

/** The crowd's whole day among kills, then a recount; what went wrong, or null. */
async function oneRound(own: Own, botArgs: string[], pause: number, turns: readonly Victim[]): Promise<string | null> {
  const bot = start('bot', ['bot/index.ts', ...botArgs, '--url', own.url], {})
  signals.atWork = bot
  const over = new AbortController()
  const [code, kills] = await Promise.all([
    bot.ended.finally(() => over.abort()),
    killByTurns(own, turns, pause, over.signal).catch((error: Error) => {
      bot.child.kill('SIGTERM')
      return error
    }),
  ])
  if (kills instanceof Error) return kills.message
  say(turns.map((victim) => `${victim} killed ${kills.get(victim) ?? 0} times`).join(', '))
  if (code !== 0) return `the bot ended with ${code}`
  const recount = start('recount', ['--import', './require-node.mjs', 'src/cli/reconcile.ts'], own.settings)
  signals.atWork = recount
  const drift = await recount.ended
  return drift === 0 ? null : `the recount ended with ${drift}`
}

async function killByTurns(own: Own, turns: readonly Victim[], pause: number, over: AbortSignal) {
  const kills = new Map<Victim, number>()
  for (let n = 0; ; n += 1) {
    await sleep(pause, undefined, { signal: over }).catch(() => undefined)
    const victim = turns[n % turns.length]
    if (over.aborted || victim === undefined) return kills
    if (await kill(own, victim)) kills.set(victim, (kills.get(victim) ?? 0) + 1)
    if (!isRunning(own.server)) own.server = startServer(own.settings)
    if (!(await isReady(own.url, own.server)))
      throw new Error(`the server did not come back after ${victim} was killed`)
  }
}

/** Kills with SIGKILL; false when there is none at the moment. */
async function kill({ directory, server }: Own, victim: Victim): Promise<boolean> {
  const pid = await pidOf(victim, directory, server.child.pid)
  if (pid === undefined) return false
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // mongod's lock names it a little longer than it runs.
    return false
  }
  if (victim === 'server') await server.ended
  return true
}

async function pidOf(victim: Victim, directory: string, server: number | undefined): Promise<number | undefined> {
  if (victim === 'server' || server === undefined) return server
  if (victim === 'mongod') {
    const lock = await readFile(join(directory, 'mongod', 'data', 'mongod.lock'), 'utf8').catch(() => '')
    return Number(lock) || undefined
  }
  const some = (await childrenOf(server)).filter(({ command }) => command.endsWith(`worker.ts ${victim}`))
  return some[Math.floor(Math.random() * some.length)]?.pid
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
