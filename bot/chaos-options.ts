import { z } from 'zod'
import { integerOption, parseOptions, readOptions, UsageError } from './options.ts'

export const help = `Usage: npm run chaos -- [options] [-- options of the bot]

Runs the crowd against a server of its own while the server, its mongod, its writer and its other processes are killed
with SIGKILL by turns. Then every counter is recounted. A round is passed when the ledger agrees and the drift is 0.

  --rounds <n>       how often, on the same database, 1 to 1000 (default 1)
  --processes <n>    WEB_CONCURRENCY of the server, 1 to 64 (default 4; with 1 only server and mongod are killed)
  --pause <seconds>  between the moment when all runs again and the next kill, 0 to 600 (default 2)
  --help             shows this

The bot's options are given as they are: npm run chaos -- -- --users 100 --posts 20 --reactions 500

Exit code: 0 all rounds passed, 1 one did not, 2 bad options, 130 interrupted.
`

const types = {
  rounds: { type: 'string' },
  processes: { type: 'string' },
  pause: { type: 'string' },
  help: { type: 'boolean' },
} as const

const options = z.object({
  rounds: integerOption('rounds', 1, 1_000, () => 1),
  processes: integerOption('processes', 1, 64, () => 4),
  pause: integerOption('pause', 0, 600, () => 2),
  help: z.boolean().default(false),
})

/** What is asked of a run; `botArgs` is handed to the bot. */
export type ChaosOptions = z.infer<typeof options> & { botArgs: string[] }

/** Reads the command line, the bot's part as well. Throws UsageError with one sentence that names the option at fault. */
export function readChaosOptions(args: string[]): ChaosOptions {
  const end = args.indexOf('--')
  const botArgs = end === -1 ? [] : args.slice(end + 1)
  const bot = readOptions(botArgs)
  if (bot.help || botArgs.some((arg) => arg.startsWith('--url')))
    throw new UsageError('The bot takes --users, --posts, --reactions and --seed here: the server is our own.')
  return { ...parseOptions(end === -1 ? args : args.slice(0, end), types, options), botArgs }
}
