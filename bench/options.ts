import { parseArgs } from 'node:util'

/** Thrown with what to tell on the terminal about what was typed. */
export class BadOptions extends Error {}

export const help = (names: readonly string[]) => `Usage: npm run bench -- [options]

Measures the server against simpler ones on the same MongoDB, by turns, and checks that the database has every change
that was acknowledged.

  --only <name>      only the scenarios whose names begin with this; may be given several times
                     (${names.join(', ')})
  --seconds <n>      how long each side is measured in each round, 1 to 30 (default 4)
  --rounds <n>       how many rounds are counted, after two that are not, 1 to 9 (default 5)
  --processes <n>    serves in so many processes, as WEB_CONCURRENCY says, 1 to 16 (default 1)
  --profile <folder> leaves CPU profiles of the server there, for Chrome's developer tools
  --help             shows this

Exit code: 0 measured and every count is right, 1 something was not, 2 bad options, 130 interrupted. How fast anything
is never changes it.
`

/** What is asked of a run. */
export type Options = {
  names: string[]
  seconds: number
  rounds: number
  processes: number
  profile: string | undefined
  help: boolean
}

/** Reads the command line. Throws BadOptions with one sentence that names the option at fault. */
export function readOptions(args: string[], known: readonly string[]): Options {
  const { only = [], seconds, rounds, processes, profile, help = false } = typed(args)
  for (const name of only) {
    if (!known.some((one) => one.startsWith(name))) {
      throw new BadOptions(`--only ${name} is no scenario: there are ${known.join(', ')}.`)
    }
  }
  return {
    names: known.filter((one) => only.length === 0 || only.some((name) => one.startsWith(name))),
    seconds: whole('seconds', seconds, { least: 1, most: 30, otherwise: 4 }),
    rounds: whole('rounds', rounds, { least: 1, most: 9, otherwise: 5 }),
    processes: whole('processes', processes, { least: 1, most: 16, otherwise: 1 }),
    profile,
    help,
  }
}

function typed(args: string[]) {
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
    throw new BadOptions(
      `${sentence?.replace(/ argument is ambiguous| argument missing/, ' needs a value')}: see --help.`,
    )
  }
}

function whole(
  name: string,
  text: string | undefined,
  { least, most, otherwise }: { least: number; most: number; otherwise: number },
): number {
  if (text === undefined) return otherwise
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw new BadOptions(`--${name} must be a whole number from ${least} to ${most}.`)
}
