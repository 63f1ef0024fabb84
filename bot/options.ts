import { randomInt } from 'node:crypto'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import { z } from 'zod'

/** A sentence for the robot at the terminal about what was typed. */
export class UsageError extends Error {}

export const help = `Usage: npx tsx bot [options]

A crowd of robots signs up, posts, replies, follows, reacts, reads its timelines, deletes posts and accounts, then reads
everything back and compares it with what the server acknowledged.

  --url <url>        the server (default http://127.0.0.1:5000)
  --users <n>        robots, 1 to 10000 (default 10)
  --posts <n>        posts by each robot, 0 to 1000 (default 5)
  --replies <n>      replies by each robot, 0 to 1000 (default 3)
  --follows <n>      times that each robot follows or unfollows, 0 to 1000 (default 5)
  --reactions <n>    reactions by each robot, 0 to 10000 (default 20)
  --deletions <n>    of a hundred posts, and of a hundred accounts, so many are deleted, 0 to 100 (default 10)
  --seed <n>         repeats the names, texts and actions of an earlier run (default: a new one, printed)
  --yes-really       allows a server that is not on this machine
  --help             shows this

Exit code: 0 all done and the ledger agrees, 1 it does not or something failed, 2 bad options or no server, 130 interrupted.
`

const options = z.object({
  url: z.string().default('http://127.0.0.1:5000').transform(serverUrl),
  users: integerOption('users', 1, 10_000, () => 10),
  posts: integerOption('posts', 0, 1_000, () => 5),
  replies: integerOption('replies', 0, 1_000, () => 3),
  follows: integerOption('follows', 0, 1_000, () => 5),
  reactions: integerOption('reactions', 0, 10_000, () => 20),
  deletions: integerOption('deletions', 0, 100, () => 10),
  seed: integerOption('seed', 0, Number.MAX_SAFE_INTEGER, () => randomInt(2 ** 32)),
  'yes-really': z.boolean().default(false),
  help: z.boolean().default(false),
})

const types = {
  url: { type: 'string' },
  users: { type: 'string' },
  posts: { type: 'string' },
  replies: { type: 'string' },
  follows: { type: 'string' },
  reactions: { type: 'string' },
  deletions: { type: 'string' },
  seed: { type: 'string' },
  'yes-really': { type: 'boolean' },
  help: { type: 'boolean' },
} as const

/** What a run is asked to do. */
export type Options = z.infer<typeof options>

/** Reads the command line. Throws UsageError with one sentence that names the option at fault. */
export function readOptions(args: string[]): Options {
  const given = parseOptions(args, types, options)
  const { url, help: wanted, 'yes-really': sure } = given
  if (!wanted && !sure && !isLoopback(url))
    throw new UsageError(
      `--url ${url.origin} is not this machine: add --yes-really if a crowd of robots is welcome there.`,
    )
  return given
}

/** Whether a URL can only mean this machine: localhost, 127.0.0.0/8 or [::1]. */
export function isLoopback(url: URL): boolean {
  // The URL parser has already turned 127.1, 0x7f000001 and [0:0:0:0:0:0:0:1] into these forms.
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname)
}

/** Reads options of some types and checks them. Throws UsageError with one sentence that names the option at fault. */
export function parseOptions<Schema extends z.ZodType>(
  args: string[],
  types: NonNullable<ParseArgsConfig['options']>,
  schema: Schema,
): z.infer<Schema> {
  const checked = schema.safeParse(typed(args, types))
  if (!checked.success) throw new UsageError(checked.error.issues[0]?.message)
  return checked.data
}

function typed(args: string[], types: NonNullable<ParseArgsConfig['options']>): unknown {
  try {
    return parseArgs({ args, options: types }).values
  } catch (error) {
    const [sentence] = (error instanceof Error ? error.message : String(error)).split(/\.\s|\n/)
    throw new UsageError(
      `${sentence?.replace(/ argument is ambiguous| argument missing/, ' needs a value')}: see --help.`,
    )
  }
}

/** A whole number; its default is made when it is needed. */
export function integerOption(name: string, least: number, most: number, otherwise: () => number) {
  const message = `--${name} must be a whole number from ${least} to ${most}.`
  return z
    .string()
    .regex(/^\d{1,16}$/, message)
    .transform(Number)
    .pipe(z.number().min(least, message).max(most, message))
    .default(otherwise)
}

function serverUrl(text: string, context: z.RefinementCtx): URL {
  const refuse = (message: string) => {
    context.addIssue({ code: 'custom', message })
    return z.NEVER
  }
  if (!URL.canParse(text)) return refuse('--url must be a URL such as http://127.0.0.1:5000.')
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return refuse('--url must begin with http:// or https://.')
  if (url.username || url.password) return refuse('--url must not hold a name or password: the robots make their own.')
  if (url.pathname !== '/' || url.search || url.hash) return refuse('--url must end after the host and port.')
  return url
}
