import { z } from 'zod'
import { readOptions } from '../options/options.ts'
import { integerOption, parseOptions, UsageError } from '../options/parse.ts'
import { clusterFaultNames, type FaultName, faultNames } from './fault.ts'

const defaultFor = '20m'
/** Longer than all kills of a round take on a busy machine, between which a server may serve only seconds. */
const defaultSilence = '10m'

export const help = `Usage: npm run chaos -- [options] [-- bot options]

Runs the bot against a temporary server that reaches its mongod through a proxy, while faults hit them in turn, until
each kill has happened three times and every other fault once. Then recounts every counter. A round passes when the
ledger agrees and the recount finds no drift.

  --rounds <n>       rounds on the same database, 1 to 1000 (default 1)
  --processes <n>    WEB_CONCURRENCY of the server, 1 to 64 (default 4; 1 has no writer and api processes to hit)
  --pause <seconds>  delay between recovery and the next fault, 0 to 600 (default 2)
  --faults <names>   comma-separated, in the order in which to take them (default: all)
  --help             show this help

Faults, which last up to 8 s:
  kill-mongod, kill-server, kill-writer, kill-api
                     SIGKILL of mongod, of the server's primary process, of its writer, of an API process
  frozen-mongod, frozen-writer
                     SIGSTOP, and SIGCONT later
  lost-command       MongoDB never receives a command
  lost-reply         MongoDB carries a command out, and its reply never arrives
  late-command       MongoDB receives a command late
  cut-connection     a connection ends before or after MongoDB has carried a command out
  delayed-replies    every reply of MongoDB is 50 to 1,200 ms late
  frozen-link        all connections stay open and carry nothing in one direction
  disconnected       all connections end, and new ones are refused
  clock-step         the clock of the server's processes jumps 3 h or 30 s ahead or back, and later to the right time

After each fault the server must become ready (GET /health/ready). After each round a line says how often each fault
happened. A command that is to be lost, late or cut must be sent within 5 s, otherwise the fault was only tried. If the
bot's --for (default ${defaultFor}) ends before all faults have happened, the round fails: nothing was shown.

Each round has a seed of its own, which the bot prints: with the bot's --seed 7 it is 7, then 8, and so on.
Bot options follow a second "--": npm run chaos -- -- --robots 100 --rate 200

Exit code: 0 all rounds passed, 1 a round failed, 2 invalid options, 69 or 78 it cannot start, 130 interrupted.
`

const types = {
  rounds: { type: 'string' },
  processes: { type: 'string' },
  pause: { type: 'string' },
  faults: { type: 'string' },
  help: { type: 'boolean' },
} as const

const options = z.object({
  rounds: integerOption('rounds', 1, 1_000, () => 1),
  processes: integerOption('processes', 1, 64, () => 4),
  pause: integerOption('pause', 0, 600, () => 2),
  faults: z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(faultNames, `--faults must name some of ${faultNames.join(', ')}.`)))
    .default([...faultNames]),
  help: z.boolean().default(false),
})

/** `pause` is in seconds; `botArgs` are passed to the bot, and `seed` is that of its first round. */
export type ChaosOptions = z.infer<typeof options> & { botArgs: string[]; seed: number }

/** Parses the command line and validates the bot's part of it. @throws UsageError */
export function readChaosOptions(args: string[]): ChaosOptions {
  const end = args.indexOf('--')
  const botArgs = end === -1 ? [] : args.slice(end + 1)
  const bot = readOptions(botArgs)
  if (bot.show !== null || bot.options.only || botArgs.some((arg) => arg.startsWith('--url')))
    throw new UsageError('Bot options exclude --help, --url and --only here: chaos starts a crowd on its own server.')
  const values = parseOptions(end === -1 ? args : args.slice(0, end), types, options)
  const faults = values.faults.filter((name) => isPossible(name, values.processes))
  if (faults.length === 0) throw new UsageError(`--faults ${values.faults.join(',')} needs --processes 2 or more.`)
  const { for: forMs, silence, seed } = bot.options
  const defaults = [
    ...(forMs === undefined ? ['--for', defaultFor] : []),
    ...(silence === undefined ? ['--silence', defaultSilence] : []),
  ]
  return { ...values, faults, botArgs: [...botArgs, ...defaults], seed }
}

function isPossible(name: FaultName, processes: number): boolean {
  return processes > 1 || !clusterFaultNames.includes(name)
}
