import { parseArgs } from 'node:util'

import { type Side, sideNames } from './sides.ts'

/** The message is one sentence that names the invalid option. */
export class UsageError extends Error {}

const peerNames = sideNames.filter((side) => side !== 'rookery')
const connectionCounts = [1, 16, 64, 256]

export const help = (names: readonly string[]) => `Usage: npm run bench -- [options]

Measures the server beside those that a user would pick instead, and beside simpler ones, in interleaved rounds, and
checks that each database has every acknowledged change. Everything takes about 45 minutes, --quick less than 3.

  --quick            16 connections, 1 second, 1 round; no login scenarios, and no fixed rates without --only
  --only <name>      only the scenarios whose names begin with this; can be repeated
                     (${names.join(', ')})
  --peers <name>     only the servers whose names begin with this, beside Rookery; can be repeated
                     (${peerNames.join(', ')})
  --connections <n>  only closed loops with so many connections; can be repeated (${connectionCounts.join(', ')})
  --seconds <n>      seconds for each server in each round, 1 to 30 (default 2)
  --rounds <n>       rounds that count, after a warm-up, 1 to 9 (default 5)
  --processes <n>    WEB_CONCURRENCY of the server, 1 to 16 (default 1)
  --write            write the tables and a chart into docs/performance.md and docs/performance.svg
  --profile <dir>    write CPU profiles of the server there, for Chrome's developer tools
  --help             show this help

Flask needs python3 with venv, PocketBase Go 1.25, Express npm: what they need goes into the user's cache directory, and
a server whose tools are missing is left out.

Exit code: 0 every count is right, 1 a count is wrong or a request was refused unexpectedly, 2 invalid options, 130
interrupted. Speed never changes it.
`

export type Options = {
  names: string[]
  peers: Side[]
  /** undefined: all that a scenario has */
  connections: number[] | undefined
  seconds: number
  rounds: number
  /** Whether fixed rates are measured, too. */
  rates: boolean
  processes: number
  profile: string | undefined
  write: boolean
  help: boolean
}

/** What --quick leaves out: a login takes a second under load. */
const slowScenarios = ['log-in', 'login-storm']

/** Those of the known names that begin with one of the given; all if none is given. @throws UsageError */
function choose<Name extends string>(option: string, given: readonly string[], known: readonly Name[]): Name[] {
  for (const name of given) {
    if (known.some((one) => one.startsWith(name))) continue
    throw new UsageError(`--${option} ${name} matches nothing: there are ${known.join(', ')}.`)
  }
  return known.filter((one) => given.length === 0 || given.some((name) => one.startsWith(name)))
}

/** Parses the command line. @throws UsageError */
export function readOptions(args: string[], known: readonly string[]): Options {
  const { only = [], peers = [], connections = [], quick = false, write = false, help = false, ...rest } = parse(args)
  const chosen = choose('only', only, known)
  const counts = connections.map((text) => integer('connections', text, { min: 1, max: 256, fallback: 0 }))
  for (const count of counts) {
    if (!connectionCounts.includes(count))
      throw new UsageError(`--connections must be one of ${connectionCounts.join(', ')}.`)
  }
  return {
    names: quick && only.length === 0 ? chosen.filter((name) => !slowScenarios.includes(name)) : chosen,
    peers: choose('peers', peers, peerNames),
    connections: counts.length > 0 ? counts : quick ? [16] : undefined,
    seconds: integer('seconds', rest.seconds, { min: 1, max: 30, fallback: quick ? 1 : 2 }),
    rounds: integer('rounds', rest.rounds, { min: 1, max: 9, fallback: quick ? 1 : 5 }),
    rates: !quick || only.length > 0,
    processes: integer('processes', rest.processes, { min: 1, max: 16, fallback: 1 }),
    profile: rest.profile,
    write,
    help,
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        only: { type: 'string', multiple: true },
        peers: { type: 'string', multiple: true },
        connections: { type: 'string', multiple: true },
        quick: { type: 'boolean' },
        write: { type: 'boolean' },
        seconds: { type: 'string' },
        rounds: { type: 'string' },
        processes: { type: 'string' },
        profile: { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values
  } catch (error) {
    const [sentence] = (error instanceof Error ? error.message : String(error)).split(/\.\s|\n/)
    throw new UsageError(
      `${sentence?.replace(/ argument is ambiguous| argument missing/, ' needs a value')}: see --help.`,
    )
  }
}

function integer(
  name: string,
  text: string | undefined,
  { min, max, fallback }: { min: number; max: number; fallback: number },
): number {
  if (text === undefined) return fallback
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (number >= min && number <= max) return number
  throw new UsageError(`--${name} must be a whole number from ${min} to ${max}.`)
}
