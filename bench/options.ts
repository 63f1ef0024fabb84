import { parseArgs } from 'node:util'

/** The message is one sentence that names the invalid option. */
export class UsageError extends Error {}

export const help = (names: readonly string[]) => `Usage: npm run bench -- [options]

Measures the server against simpler ones on the same MongoDB, in alternating rounds, and checks that the database has
every acknowledged change.

  --only <name>      only the scenarios whose names begin with this; can be repeated
                     (${names.join(', ')})
  --seconds <n>      seconds for each side in each round, 1 to 30 (default 4)
  --rounds <n>       rounds that count, after two warm-up rounds, 1 to 9 (default 5)
  --processes <n>    WEB_CONCURRENCY of the server, 1 to 16 (default 1)
  --profile <dir>    write CPU profiles of the server there, for Chrome's developer tools
  --help             show this help

Exit code: 0 every count is right, 1 a count is wrong or a request was refused unexpectedly, 2 invalid options, 130
interrupted. Speed never changes it.
`

export type Options = {
  names: string[]
  seconds: number
  rounds: number
  processes: number
  profile: string | undefined
  help: boolean
}

/** Parses the command line. @throws UsageError */
export function readOptions(args: string[], known: readonly string[]): Options {
  const { only = [], seconds, rounds, processes, profile, help = false } = parse(args)
  for (const name of only) {
    if (!known.some((one) => one.startsWith(name))) {
      throw new UsageError(`--only ${name} matches no scenario: there are ${known.join(', ')}.`)
    }
  }
  return {
    names: known.filter((one) => only.length === 0 || only.some((name) => one.startsWith(name))),
    seconds: integer('seconds', seconds, { min: 1, max: 30, fallback: 4 }),
    rounds: integer('rounds', rounds, { min: 1, max: 9, fallback: 5 }),
    processes: integer('processes', processes, { min: 1, max: 16, fallback: 1 }),
    profile,
    help,
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        only: { type: 'string', multiple: true },
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
