import { cpus } from 'node:os'
import { resolve } from 'node:path'
import type { Connection } from '../src/database/connection.ts'
import { StartError } from '../src/start-error.ts'
import { writeDocument } from './document.ts'
import { measure, type Settings } from './measure.ts'
import { withMongod } from './mongod.ts'
import { help, type Options, readOptions, UsageError } from './options.ts'
import { isCorrect, progressLine, remarks } from './report.ts'
import type { Results } from './results.ts'
import { create } from './scenarios/create.ts'
import { logIn, readDuringLogins } from './scenarios/log-in.ts'
import { mixed } from './scenarios/mixed.ts'
import { reactManyPosts, reactOnePost } from './scenarios/react.ts'
import { newest, read, readWithSession } from './scenarios/read.ts'
import { whoAmI } from './scenarios/who-am-i.ts'
import { type Side, sides } from './sides.ts'
import { cpuTable, figuresTable } from './tables.ts'

const scenarios = [
  whoAmI,
  create,
  read,
  readWithSession,
  newest,
  reactManyPosts,
  reactOnePost,
  mixed,
  logIn,
  readDuringLogins,
]
const names = scenarios.map(({ name }) => name)
/** The terminal and npm can both deliver one Ctrl-C: a repeat within this time is not a second one. */
const sameSignalMs = 250

try {
  const options = readOptions(process.argv.slice(2), names)
  if (options.help) process.stdout.write(help(names))
  else process.exitCode = await bench(options)
} catch (error) {
  if (!(error instanceof UsageError || error instanceof StartError)) throw error
  printError(error.message)
  process.exitCode = error instanceof UsageError ? 2 : 1
}

/**
 * Measures the chosen scenarios on a mongod of its own, and prints the results.
 * @returns the exit code.
 */
async function bench(options: Options): Promise<number> {
  const stop = abortOnSignal()
  const results = await withMongod((connection) => measureAll(options, connection, stop))
  if (stop.aborted) printError('Interrupted: these results are incomplete.')
  const tables = [...figuresTable(results.measured), '', ...cpuTable(results.measured), '']
  const lines = [describeRun(options), '', ...tables, ...remarks(results)]
  for (const line of lines) print(line)
  const correct = isCorrect(results)
  if (correct) print('Every acknowledged change is in its database, once.')
  if (stop.aborted) return 130
  if (options.write && correct) await writeDocument(lines, results.measured)
  return correct ? 0 : 1
}

async function measureAll(options: Options, connection: Connection, stop: AbortSignal): Promise<Results> {
  const { names, profile, processes, seconds, rounds, rates, connections } = options
  const unavailable = new Set<Side>()
  const onUnavailable = (side: Side, reason: string) => {
    unavailable.add(side)
    printError(`${sides[side].title} is left out: ${reason}`)
  }
  const profileDir = profile && resolve(profile)
  const settings = { processes, seconds, rounds, rates, connections, profileDir, stop, onRound, onUnavailable }
  const results: Results = { measured: [], verdicts: [] }
  for (const scenario of scenarios.filter(({ name }) => names.includes(name))) {
    if (stop.aborted) break
    const peers = options.peers.filter((side) => !unavailable.has(side))
    const { measured, verdicts } = await measure(scenario, connection, { ...settings, peers })
    results.measured.push(...measured)
    results.verdicts.push(...verdicts)
  }
  return results
}

/** A first signal ends the run after the current round, a second one at once. */
function abortOnSignal(): AbortSignal {
  const stopping = new AbortController()
  let signaledAt = 0
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping.signal.aborted && performance.now() - signaledAt > sameSignalMs) process.exit(130)
      signaledAt = performance.now()
      stopping.abort()
    })
  }
  return stopping.signal
}

function describeRun({ seconds, rounds, processes }: Options): string {
  const cores = cpus()
  const machine = `${cores[0]?.model.trim() ?? 'unknown processor'}, ${cores.length} cores; Node.js ${process.version}; ${process.platform}`
  const several = processes === 1 ? '' : `, ${processes} processes of Rookery`
  return `${new Date().toISOString().slice(0, 10)}, ${machine}. ${rounds === 1 ? 'One round' : `Medians of ${rounds} rounds`} of ${seconds} s${several}.`
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function onRound(...round: Parameters<Settings['onRound']>): void {
  printError(progressLine(...round))
}

function printError(line: string): void {
  process.stderr.write(`${line}\n`)
}
