import { z } from 'zod'
import { integerOption, parseOptions, readOptions, UsageError } from './options.ts'

export const help = `Usage: npm run chaos -- [options] [-- bot options]

Runs the bot against a temporary server while SIGKILL hits the server, its mongod, its writer process and its API
processes in turn, then recounts every counter. A round passes when the ledger agrees and the recount finds no drift.

  --rounds <n>       rounds on the same database, 1 to 1000 (default 1)
  --processes <n>    WEB_CONCURRENCY of the server, 1 to 64 (default 4; 1 kills only the server and mongod)
  --pause <seconds>  delay between recovery and the next kill, 0 to 600 (default 2)
  --help             show this help

Bot options follow a second "--": npm run chaos -- -- --users 100 --posts 20 --reactions 500

Exit code: 0 all rounds passed, 1 a round failed, 2 invalid options, 130 interrupted.
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

/** `pause` is in seconds; `botArgs` are passed to the bot unchanged. */
export type ChaosOptions = z.infer<typeof options> & { botArgs: string[] }

/** Parses the command line and validates the bot's part of it. @throws UsageError */
export function readChaosOptions(args: string[]): ChaosOptions {
  const end = args.indexOf('--')
  const botArgs = end === -1 ? [] : args.slice(end + 1)
  const bot = readOptions(botArgs)
  if (bot.help || botArgs.some((arg) => arg.startsWith('--url')))
    throw new UsageError('Bot options exclude --help and --url here: chaos starts its own server.')
  return { ...parseOptions(end === -1 ? args : args.slice(0, end), types, options), botArgs }
}
