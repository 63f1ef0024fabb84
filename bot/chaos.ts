import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { childrenOf } from './children.ts'
import { BadOptions } from './options.ts'
import { isReady, isRunning, ownServer, type Program, start, startServer } from './own-server.ts'

const help = `Usage: npm run chaos -- [options] [-- options of the bot]

Runs the crowd against a server of its own while the server, its mongod, its writer and its other processes are killed
with SIGKILL by turns. Then every counter is recounted. A round is passed when the ledger agrees and the drift is 0.

  --rounds <n>       how often, on the same database (default 1)
  --processes <n>    WEB_CONCURRENCY of the server (default 4; with 1 only server and mongod are killed)
  --pause <seconds>  between the moment when all runs again and the next kill (default 2)
  --help             shows this

The bot's options are given as they are, such as: npm run chaos -- -- --users 100 --posts 20 --reactions 500
`

/** A server that is killed and started again on the same data. */
type Own = { directory: string; url: string; settings: Record<string, string>; server: Program }

const victims = ['mongod', 'server', 'writer', 'front'] as const
type Victim = (typeof victims)[number]

try {
  process.exitCode = await chaos(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof BadOptions)) throw error
  say(error.message)
  process.exitCode = 2
}

async function chaos(args: string[]): Promise<number> {
  const { rounds, processes, pause, botArgs, wantsHelp } = readArguments(args)
  if (wantsHelp) {
    process.stdout.write(help)
    return 0
  }
  const directory = await mkdtemp(join(tmpdir(), 'rookery-chaos-'))
  const { url, settings } = await ownServer(directory)
  const all = { ...settings, WEB_CONCURRENCY: String(processes), LOG_LEVEL: process.env.LOG_LEVEL ?? 'warn' }
  const own: Own = { directory, url, settings: all, server: startServer(all) }
  try {
    if (!(await isReady(url, own.server))) return say('The server did not start.')
    let passed = 0
    for (let round = 1; round <= rounds; round += 1) {
      const outcome = await oneRound(own, botArgs, pause * 1_000, processes === 1 ? ['mongod', 'server'] : victims)
      say(`Round ${round} of ${rounds}: ${outcome}`)
      if (outcome.startsWith('passed')) passed += 1
    }
    say(`${passed} of ${rounds} rounds passed`)
    return passed === rounds ? 0 : 1
  } finally {
    own.server.child.kill('SIGTERM')
    await own.server.ended
    await rm(directory, { recursive: true, force: true })
  }
}

async function oneRound(own: Own, botArgs: string[], pause: number, turns: readonly Victim[]): Promise<string> {
  const bot = start('bot', ['bot/index.ts', ...botArgs, '--url', own.url], {})
  const over = new AbortController()
  const killing = killByTurns(own, turns, pause, over.signal)
  const code = await bot.ended
  over.abort()
  const kills = await killing
  const done = `${turns.map((victim) => `${victim} killed ${kills.get(victim) ?? 0} times`).join(', ')}`
  if (code !== 0) return `failed: the bot ended with ${code}; ${done}`
  const recount = await start('recount', ['--import', './require-node.mjs', 'src/reconcile/main.ts'], own.settings)
    .ended
  return recount === 0 ? `passed; ${done}` : `failed: the recount ended with ${recount}; ${done}`
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

function readArguments(args: string[]) {
  const end = args.indexOf('--')
  const own = end === -1 ? args : args.slice(0, end)
  const options = {
    rounds: { type: 'string', default: '1' },
    processes: { type: 'string', default: '4' },
    pause: { type: 'string', default: '2' },
    help: { type: 'boolean', default: false },
  } as const
  try {
    const { values } = parseArgs({ args: own, options })
    return {
      rounds: whole('rounds', values.rounds, 1, 1_000),
      processes: whole('processes', values.processes, 1, 64),
      pause: whole('pause', values.pause, 0, 600),
      botArgs: end === -1 ? [] : args.slice(end + 1),
      wantsHelp: values.help,
    }
  } catch (error) {
    if (error instanceof BadOptions) throw error
    throw new BadOptions(`${error instanceof Error ? error.message : error} (see --help)`)
  }
}

function whole(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= most))
    throw new BadOptions(`--${name} must be a whole number from ${least} to ${most}.`)
  return value
}

function say(line: string): 1 {
  process.stdout.write(`${line}\n`)
  return 1
}
