import { cpus } from 'node:os'
import { resolve } from 'node:path'
import type { Connection } from '../src/database/connection.ts'
import { StartError } from '../src/start-error.ts'
import { type Measured, measure, type Settings } from './measure.ts'
import { withMongod } from './mongod.ts'
import { BadOptions, help, type Options, readOptions } from './options.ts'
import { isRight, progress, remarks, table } from './report.ts'
import { create, createByFew } from './scenarios/create.ts'
import { reactManyPosts, reactOnePost } from './scenarios/react.ts'
import { read, readAsMember } from './scenarios/read.ts'

const scenarios = [create, createByFew, read, readAsMember, reactOnePost, reactManyPosts]
const names = scenarios.map(({ name }) => name)
/** The terminal and npm may each pass on one and the same press, in milliseconds. */
const samePress = 250

try {
  const options = readOptions(process.argv.slice(2), names)
  if (options.help) process.stdout.write(help(names))
  else process.exitCode = await bench(options)
} catch (error) {
  if (!(error instanceof BadOptions || error instanceof StartError)) throw error
  tell(error.message)
  process.exitCode = error instanceof BadOptions ? 2 : 1
}

/** Measures what was asked for on a mongod of its own, and tells the result. Returns the exit code. */
async function bench(options: Options): Promise<number> {
  const stop = hearSignals()
  const results = await withMongod((connection) => measureAll(options, connection, stop))
  if (stop.aborted) tell('Interrupted: what follows is not all.')
  for (const line of [machine(), '', ...table(results), '']) say(line)
  for (const line of results.flatMap(remarks)) say(line)
  const right = results.every(isRight)
  if (right) say('Every acknowledged change is in the database, once.')
  if (stop.aborted) return 130
  return right ? 0 : 1
}

async function measureAll(options: Options, connection: Connection, stop: AbortSignal): Promise<Measured[]> {
  const { seconds, rounds, processes, profile } = options
  const settings = { seconds, rounds, processes, stop, onRound, profileIn: profile && resolve(profile) }
  const results: Measured[] = []
  for (const scenario of scenarios.filter(({ name }) => options.names.includes(name))) {
    if (stop.aborted) break
    results.push(await measure(scenario, connection, settings))
  }
  return results
}

/** A first signal ends the run after the round that is under way, a second one at once. */
function hearSignals(): AbortSignal {
  const stopping = new AbortController()
  let heard = 0
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping.signal.aborted && performance.now() - heard > samePress) process.exit(130)
      heard = performance.now()
      stopping.abort()
    })
  }
  return stopping.signal
}

function machine(): string {
  const all = cpus()
  return `${all[0]?.model.trim() ?? 'unknown processor'}, ${all.length} cores; Node.js ${process.version}; ${process.platform}`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

function onRound(...round: Parameters<Settings['onRound']>): void {
  tell(progress(...round))
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`)
}
